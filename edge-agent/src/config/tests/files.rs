//! Paths that hold no file that anyone wrote.

use std::path::Path;

use super::{home, load_site};

/// What is said of `name` in this folder.
fn said_of(folder: &Path, name: &str) -> String {
    let errors = load_site(&folder.join(name), &home()).expect_err("no site");
    errors.to_string().replace(&format!("{}/", folder.display()), "")
}

#[test]
fn what_is_no_file_of_a_person_is_refused_in_one_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("writes");
    std::fs::create_dir(folder.path().join("folder.toml")).expect("a folder");
    write("empty.toml", b"");
    write("blank.toml", b" \n\n\t\n");
    write("latin.toml", b"[site]\nid = \"a\"\nname = \"N\xfat\"\n");
    write("utf16.toml", b"\xff\xfe[\0s\0i\0t\0e\0]\0");
    write("clip.toml", &vec![b'#'; (1 << 20) + 1]);
    for (name, said) in [
        ("nowhere.toml", "nowhere.toml: is not there\n    → give the path of an existing file"),
        ("folder.toml", "folder.toml: is a folder\n    → give the path of a file"),
        ("empty.toml", "empty.toml: is empty\n    → copy an example and edit it"),
        ("blank.toml", "blank.toml: is empty\n    → copy an example and edit it"),
        ("latin.toml", "latin.toml:3: is not UTF-8 text\n    → save the file as UTF-8"),
        ("utf16.toml", "utf16.toml:1: is not UTF-8 text\n    → save the file as UTF-8"),
        (
            "clip.toml",
            "clip.toml: has 1048577 bytes: nobody wrote that by hand\n    → give the path of a TOML file, of at most 1 MiB",
        ),
    ] {
        assert_eq!(said_of(folder.path(), name), format!("{said}\n1 error in the configuration"));
    }
}

#[test]
fn a_byte_order_mark_and_other_line_ends_do_no_harm() {
    let home = super::wrong::good_home();
    let text = format!("\u{feff}{}", super::wrong::good("site").replace('\n', "\r\n"));
    std::fs::write(home.path().join("site.toml"), &text).expect("writes");
    assert_eq!(super::wrong::said_of(home.path()), "");
    std::fs::write(home.path().join("site.toml"), text.replacen("id = \"b\"", "id = \"B\"", 1)).expect("writes");
    assert!(super::wrong::said_of(home.path()).starts_with("site.toml:7: box.id: \"B\" is not an identifier"));
}

#[test]
fn what_a_file_says_cannot_command_the_terminal() {
    let home = super::wrong::good_home();
    let text = super::wrong::good("site").replacen("hw_profile = \"box\"", "hw_profile = \"\\u001b[2J\\n\\u0007\"", 1);
    std::fs::write(home.path().join("site.toml"), text).expect("writes");
    let said = super::wrong::said_of(home.path());
    assert!(said.contains("there is no hardware profile \"\\u{1b}[2J\\n\\u{7}\""), "{said}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'));
}

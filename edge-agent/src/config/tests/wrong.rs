//! Wrong configurations and what is said of them, word for word: the files `wrong/*.txt`.
//!
//! A case is its title, what is changed in a good file (`good/*.toml`), and the messages:
//!
//! ```text
//! == a time zone that is not
//! - id = "a"
//! + id = "a"
//! + timezone = "Asia/Saigonn"
//! site.toml:3: site.timezone: there is no time zone "Asia/Saigonn"
//!     → write an IANA name, such as "Asia/Ho_Chi_Minh"
//! ```
//!
//! Lines with `-` are replaced by those with `+`; `+` alone adds at the end. `UPDATE_WRONG=1` writes the messages as they
//! are now: read the difference before it is committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::super::{Home, load_site};
use crate::detect::manifest::Manifest;

/// Each kind of file, and where its good one lies in a home.
const FILES: [(&str, &str); 5] = [
    ("site", "site.toml"),
    ("pipeline", "pipelines/road.toml"),
    ("hw-profile", "hw-profiles/box.toml"),
    ("holidays", "holidays.toml"),
    ("model", "models/tiny/model.toml"),
];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests")
}

/// The good file of this kind.
pub(super) fn good(kind: &str) -> String {
    std::fs::read_to_string(here().join("good").join(format!("{kind}.toml"))).expect("a good file")
}

/// A folder with every good file, where Home finds them.
pub(super) fn good_home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    for (kind, path) in FILES {
        let file = home.path().join(path);
        std::fs::create_dir_all(file.parent().expect("in a folder")).expect("a folder");
        std::fs::write(file, good(kind)).expect("writes");
    }
    home
}

/// Everything that is said of a home, paths as from its root; empty when it is good.
pub(super) fn said_of(home: &Path) -> String {
    let model = Manifest::load(&home.join("models/tiny")).err().map(|error| error.to_string());
    let site = load_site(&home.join("site.toml"), &Home::at(home)).err();
    let mut said = String::new();
    for error in site.iter().flat_map(|errors| &errors.0) {
        writeln!(said, "{error}").expect("text");
        assert!(!error.cure.is_empty(), "without a cure: {error}");
    }
    said.extend(model.map(|errors| {
        errors
            .lines()
            .filter(|line| !line.contains(" in the configuration"))
            .fold(String::new(), |text, line| text + line + "\n")
    }));
    said.replace(&format!("{}/", home.display()), "")
}

/// Lines to find, and those that replace them.
type Change = (Vec<String>, Vec<String>);

struct Case {
    title: String,
    changes: Vec<Change>,
    messages: String,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("\n== ").skip(1) {
        let (title, rest) = block.split_once('\n').expect("a title");
        let (mut changes, mut messages) = (Vec::<Change>::new(), String::new());
        for line in rest.lines().filter(|line| !line.is_empty()) {
            if let Some(old) = line.strip_prefix("- ") {
                match changes.last_mut() {
                    Some((olds, news)) if news.is_empty() => olds.push(old.to_owned()),
                    _ => changes.push((vec![old.to_owned()], Vec::new())),
                }
            } else if let Some(new) = line.strip_prefix("+ ") {
                match changes.last_mut() {
                    Some((_, news)) => news.push(new.to_owned()),
                    None => changes.push((Vec::new(), vec![new.to_owned()])),
                }
            } else {
                messages += line;
                messages.push('\n');
            }
        }
        cases.push(Case { title: title.to_owned(), changes, messages });
    }
    cases
}

impl Case {
    fn changed(&self, good: &str) -> String {
        self.changes.iter().fold(good.to_owned(), |text, (old, new)| {
            let (old, new) = (old.join("\n"), new.join("\n"));
            if old.is_empty() {
                return text + "\n" + &new + "\n";
            }
            assert!(text.contains(&old), "{}: the good file has no {old:?}", self.title);
            text.replacen(&old, &new, 1)
        })
    }

    fn written(&self, messages: &str) -> String {
        let mut text = format!("\n== {}\n", self.title);
        for (old, new) in &self.changes {
            text.extend(old.iter().map(|line| format!("- {line}\n")));
            text.extend(new.iter().map(|line| format!("+ {line}\n")));
        }
        text + messages
    }
}

/// Tries the cases of `wrong/{file}.txt`, changes to the good file of `kind`; how many there are.
fn try_all(file: &str, kind: &str) -> usize {
    let path = here().join("wrong").join(format!("{file}.txt"));
    let text = std::fs::read_to_string(&path).expect("the cases");
    let place = FILES.iter().find(|(known, _)| *known == kind).expect("a kind of file").1;
    let mut written = text.split("\n== ").next().unwrap_or_default().trim_end().to_owned() + "\n";
    let (mut wrong, cases) = (Vec::new(), cases(&text));
    for case in &cases {
        let home = good_home();
        std::fs::write(home.path().join(place), case.changed(&good(kind))).expect("writes");
        let said = said_of(home.path());
        assert!(!said.is_empty(), "{file}, {}: nothing is said", case.title);
        assert!(!said.contains("canary"), "{file}, {}: a secret is shown: {said}", case.title);
        if said != case.messages {
            wrong.push(format!("{file}, {}:\n{said}--- instead of\n{}", case.title, case.messages));
        }
        written += &case.written(&said);
    }
    if std::env::var_os("UPDATE_WRONG").is_some() {
        std::fs::write(&path, written).expect("writes");
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    cases.len()
}

#[test]
fn the_good_files_are_good() {
    assert_eq!(said_of(good_home().path()), "");
}

#[test]
fn every_wrong_configuration_gets_its_message() {
    let mut files: Vec<String> = std::fs::read_dir(here().join("wrong"))
        .expect("the folder")
        .map(|entry| entry.expect("readable").path().file_stem().expect("named").to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut tried = 0;
    for file in files {
        let kind = FILES.iter().map(|(kind, _)| *kind).find(|kind| file.starts_with(kind)).expect("named by its kind");
        tried += try_all(&file, kind);
    }
    assert!(tried >= 100, "{tried} cases");
}

//! Secrets that are not in order: said where the file refers to them, and never shown.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::SecretUse;
use super::{Home, load_site};

/// What is said of a broker's password, given as `reference`, in this home; and whether it is so whoever looks.
fn said_of(home: &Path, reference: &str) -> (String, bool) {
    let broker = format!("url = \"mqtt://127.0.0.1:1883\"\nusername = \"x\"\npassword = {reference}");
    let text = super::wrong::good("site").replacen("url = \"mqtt://127.0.0.1:1883\"", &broker, 1);
    std::fs::write(home.join("site.toml"), text).expect("writes");
    let site = load_site(&home.join("site.toml"), &Home::at(home)).unwrap_or_else(|errors| panic!("{errors}"));
    let password = site.secrets.iter().find(|secret| secret.key == "mqtt.password").expect("referred to");
    let Some(problem) = SecretUse::problem(password) else { return (String::new(), false) };
    let said = problem.error.to_string().replace(&format!("{}/", home.display()), "");
    assert!(!said.contains("canary"), "{said}");
    (said, problem.is_certain)
}

#[test]
fn each_secret_that_is_not_in_order_gets_its_message() {
    let home = super::wrong::good_home();
    let write = |name: &str, text: &str, mode: u32| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        std::fs::write(&path, text).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
    };
    write("good", "canary\n", 0o600);
    write("open", "canary\n", 0o644);
    write("group", "canary\n", 0o640);
    write("empty", "", 0o600);
    write("blank", "  \ncanary\n", 0o600);
    write("credentials/kept", "canary\n", 0o400);
    for (reference, said, is_certain) in [
        ("{ file = \"good\" }", "", false),
        ("{ credential = \"kept\" }", "", false),
        (
            "{ file = \"open\" }",
            "site.toml:13: mqtt.password: the secret file open can be read by others\n    → chmod 600 open",
            true,
        ),
        (
            "{ file = \"group\" }",
            "site.toml:13: mqtt.password: the secret file group can be read by others\n    → chmod 600 group",
            true,
        ),
        (
            "{ file = \"empty\" }",
            "site.toml:13: mqtt.password: the secret in empty is empty\n    → write it there, on one line",
            true,
        ),
        (
            "{ file = \"blank\" }",
            "site.toml:13: mqtt.password: the secret in blank is empty\n    → write it there, on one line",
            true,
        ),
        (
            "{ file = \"nowhere\" }",
            "site.toml:13: mqtt.password: the secret file nowhere cannot be read: No such file or directory (os error 2)\n    \
             → write the secret to this file, then chmod 600",
            false,
        ),
        (
            "{ credential = \"none\" }",
            "site.toml:13: mqtt.password: the secret file credentials/none cannot be read: No such file or directory (os \
             error 2)\n    → give the service LoadCredential=none:…, or write the secret to credentials/none, then chmod 600",
            false,
        ),
        (
            "{ env = \"NGATU_TEST_NOT_SET\" }",
            "site.toml:13: mqtt.password: the environment variable NGATU_TEST_NOT_SET, which should hold a secret, is not \
             set\n    → set it for this program",
            false,
        ),
    ] {
        assert_eq!(said_of(home.path(), reference), (said.to_owned(), is_certain), "{reference}");
    }
}

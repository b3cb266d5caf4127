//! `site init`: by flags, and by a person.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::agent::{edge_agent, finished};

/// Must never be seen, and be in one file only.
const CANARY: &str = "c4n4ry-1n1t";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_checked(site: &Path) {
    let done = finished(["check".as_ref(), site.as_os_str()]).succeeded();
    assert!(done.stdout.ends_with("ok: no errors\n"), "{}", done.stdout);
}

/// Types `answers` at `site init`, `|` for Enter; all that it said, and whether it succeeded.
fn typed(arguments: &[&str], answers: &str) -> (String, bool) {
    let mut command = edge_agent(["site", "init"].iter().chain(arguments));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("starts");
    let text = answers.replace('|', "\n") + "\n";
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("piped").write_all(text.as_bytes());
    let done = child.wait_with_output().expect("ends");
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
    (said, done.status.success())
}

#[test]
fn flags_alone_make_a_site_that_check_accepts() {
    let folder = folder();
    let (site, secret) = (folder.path().join("site.toml"), folder.path().join("given"));
    std::fs::write(&secret, format!("admin:{CANARY}\n")).expect("writes");
    let (target, credential) = (folder.path().display().to_string(), format!("nam={}", secret.display()));
    let flags = [
        "site",
        "init",
        &target,
        "--yes",
        "--no-probe",
        "--site-id",
        "nut-1",
        "--broker",
        "mqtts://broker.example:8883",
        "--camera",
        "nam=rtsp://192.0.2.11/sub",
        "--camera",
        "bac=rtsp://192.0.2.12/sub?subtype=1",
        "--credential",
        &credential,
    ];
    let done = finished(flags).succeeded();
    is_checked(&site);
    let text = read(&site);
    assert!(text.contains("ca = \"/etc/ngatu/ca.pem\"") && text.contains("rtsp://192.0.2.12/sub?subtype=1"), "{text}");
    let kept = folder.path().join("credentials/cam-nam");
    assert_eq!(read(&kept), format!("admin:{CANARY}\n"));
    assert_eq!(std::fs::metadata(&kept).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(!format!("{text}{}{}", done.stdout, done.stderr).contains(CANARY), "{}", done.stdout);
    assert!(done.stdout.contains(&format!("edge-agent run {}", site.display())), "{}", done.stdout);

    std::fs::write(&site, "# mine\n").expect("writes");
    let again = finished(flags).failed(1);
    assert!(again.contains("is there already") && again.contains("--force"), "{again}");
    assert_eq!(read(&site), "# mine\n");
    finished(flags.into_iter().chain(["--force"])).succeeded();
    is_checked(&site);
}

#[test]
fn flags_that_are_missing_or_wrong_are_named_and_nothing_is_written() {
    let folder = folder();
    let target = folder.path().display().to_string();
    let camera = format!("nam=rtsp://admin:{CANARY}@192.0.2.11/sub");
    let cases: [(&[&str], &str); 6] = [
        (&[], "--site-id is missing"),
        (&["--site-id", "Nút"], "--site-id: \"Nút\" is not an identifier"),
        (&["--site-id", "a"], "--camera is missing"),
        (&["--site-id", "a", "--broker", "mqtt://192.0.2.1"], "--allow-plaintext"),
        (&["--site-id", "a", "--camera", &camera], "--camera nam: it holds a user or password"),
        (
            &["--site-id", "a", "--camera", "nam=rtsp://192.0.2.11/", "--pipeline", "x"],
            "there is no \"x\"; choose one of: ",
        ),
    ];
    for (flags, reason) in cases {
        let all = [&["site", "init", &target, "--yes", "--no-probe"], flags].concat();
        let said = finished(all).failed(1);
        assert!(said.contains(reason) && !said.contains(CANARY), "{flags:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_person_is_told_what_is_wrong_and_asked_again() {
    let folder = folder();
    let site = folder.path().join("ngatu/nut.toml");
    let url = format!("rtsp://admin:{CANARY}%40x@127.0.0.1:1/sub");
    let answers = [
        "Nút 1|nut-1|Nút một||Asia/Hanoi|",
        "|gpu|",
        "http://x||box|c4n4ry-1n1t",
        &format!("|ftp://x|{url}|nam|Hướng Nam|South|yard|perimeter|"),
        "rtsp://127.0.0.1:1/twoo|nam|bac|||||n",
        "rtsp://127.0.0.1:1/two|bac|||||y|",
    ];
    let (said, succeeded) = typed(&[&site.display().to_string(), "--storage", "/tmp/x"], &answers.join("|"));
    assert!(succeeded, "{said}");
    for reason in [
        "\"Nút 1\" is not an identifier",
        "no time zone \"Asia/Hanoi\"",
        "there is no \"gpu\"",
        "write it like mqtt:// or mqtts://",
        "a site has at least one camera",
        "write it like rtsp://",
        "there is no \"yard\"; choose one of: ",
        "there is a camera \"nam\" already",
        "fail  camera       nam (rtsp://127.0.0.1:1/sub): nothing listens on 127.0.0.1:1",
    ] {
        assert!(said.contains(reason), "{reason}\n{said}");
    }
    is_checked(&site);
    let (text, credentials) = (read(&site), folder.path().join("ngatu/credentials"));
    assert!(text.contains("/two\"") && !text.contains("twoo"), "{text}");
    assert!(text.contains("{ vi = \"Hướng Nam\", en = \"South\" }") && text.contains("username = \"box\""), "{text}");
    assert_eq!(read(&credentials.join("cam-nam")), format!("admin:{CANARY}@x\n"));
    assert_eq!(read(&credentials.join("mqtt-password")), format!("{CANARY}\n"));
    assert!(!credentials.join("cam-bac").exists());
    assert!(!format!("{text}{said}").contains(CANARY), "{said}");
}

#[test]
fn answers_that_end_too_early_leave_nothing() {
    let folder = folder();
    let (said, succeeded) = typed(&[&folder.path().display().to_string()], "nut-1|Nút||");
    assert!(!succeeded && said.contains("nothing was written"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

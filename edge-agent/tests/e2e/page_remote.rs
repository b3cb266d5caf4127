//! The status page from another machine: a real browser over HTTPS, with passwords and roles, in front of the real program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x509_parser::pem::Pem;

use crate::agent::{Agent, edge_agent, finished};
use crate::clip::Cameras;
use crate::common::browser::Browser;
use crate::common::certificates::{Authority, Pair, write_secret};
use crate::common::mosquitto::Mosquitto;
use crate::page::page_of;
use crate::site::SiteFile;

const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><b id='owned'>Nam</b>";
const PASSWORD: &str = "Mật khẩu <b>đủ</b> dài & \"lạ\"";

/// Files of a page for other machines.
struct Files(tempfile::TempDir);

impl Files {
    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// With an account of each of these roles, named like it, made as a person makes them.
    fn new(pair: &Pair, authority: &Authority, roles: &[&str]) -> Self {
        let files = Self(tempfile::tempdir().expect("a folder"));
        files.put(pair);
        std::fs::write(files.at("clients.pem"), authority.pem()).expect("writes");
        roles.iter().for_each(|role| files.account(&["add", role, "--role", role], PASSWORD));
        files
    }

    fn put(&self, pair: &Pair) {
        write_secret(&self.at("page.key"), &pair.key);
        std::fs::write(self.at("page.pem"), &pair.certificate).expect("writes");
    }

    /// `edge-agent account`, with what somebody types.
    fn account(&self, arguments: &[&str], typed: &str) {
        let accounts = self.at("accounts");
        let (what, rest) = arguments.split_first().expect("a command");
        let mut command = edge_agent(["account", what]);
        let mut child =
            command.arg(accounts).args(rest).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
        // One that is not asked for a password does not read.
        let _ = writeln!(child.stdin.take().expect("piped"), "{typed}");
        assert!(child.wait().expect("ends").success(), "{arguments:?}");
    }

    /// What the site file says of it.
    fn section(&self) -> String {
        let path = |name: &str| self.at(name).display().to_string();
        format!(
            "[status]\nlisten = \"127.0.0.1:0\"\n[status.remote]\nnames = [\"box-a.example\"]\ncertificate = \"{}\"\n\
             key = {{ file = \"{}\" }}\naccounts = \"{}\"\nclient_ca = \"{}\"\nroles = {{ \"{}\" = \"viewer\" }}\n",
            path("page.pem"),
            path("page.key"),
            path("accounts"),
            path("clients.pem"),
            HOSTILE.replace('"', "\\\""),
        )
    }
}

/// What makes Chromium take this certificate, and find the page by its name.
fn switches(pair: &Pair) -> [String; 2] {
    let pem = Pem::iter_from_buffer(pair.certificate.as_bytes()).next().expect("one").expect("PEM");
    let digest = Sha256::digest(pem.parse_x509().expect("a certificate").public_key().raw);
    [
        format!("--ignore-certificate-errors-spki-list={}", base64(&digest)),
        "--host-resolver-rules=MAP box-a.example 127.0.0.1".to_owned(),
    ]
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let of = |chunk: &[u8]| {
        let bits = chunk.iter().chain([&0; 2]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let digit = |place: usize| char::from(DIGITS[bits >> (18 - 6 * place) & 63]);
        (0..4).map(|place| if place <= chunk.len() { digit(place) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(of).collect()
}

/// Fills the form in and sends it.
fn log_in(browser: &mut Browser, name: &str, password: &str) {
    let (name, password) = (json!(name), json!(password));
    browser.leave_by(&format!(
        "document.getElementById('name').value = {name}; document.getElementById('password').value = {password}; \
         document.querySelector('form button').click()"
    ));
}

fn is_in(browser: &mut Browser) -> bool {
    browser.value("location.pathname") == json!("/")
}

fn text_of(browser: &mut Browser, selector: &str) -> Value {
    browser.value(&format!("document.querySelector({})?.textContent ?? null", json!(selector)))
}

/// At the width of a phone and of a desk; nothing sticks out.
fn look(browser: &mut Browser, name: &str) {
    for width in [390_u32, 1440] {
        browser.resize(width);
        let wide = browser.value("document.documentElement.scrollWidth");
        assert!(
            wide.as_u64().is_some_and(|wide| wide <= u64::from(width)),
            "{name}: {wide} px do not fit into {width}"
        );
        browser.screenshot(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("remote-{name}-{width}.png")));
    }
}

fn status_of(browser: &mut Browser, path: &str) -> Value {
    browser.value(&format!("fetch('{path}').then((answer) => answer.status)"))
}

#[test]
fn people_log_in_from_another_machine_and_each_sees_what_their_role_may() {
    let (broker, cameras, authority) = (Mosquitto::start_open(), Cameras::start(), Authority::new("page"));
    let pair = authority.sign("box-a.example", &["box-a.example"]);
    let files = Files::new(&pair, &authority, &["viewer", "operator", "integrator", "admin"]);
    let site = SiteFile::new(broker.port())
        .camera("nam", &cameras.url("one"), "")
        .replaced("[status]\nlisten = \"127.0.0.1:0\"\n", &files.section())
        .replaced("snapshots = false", "snapshots = true")
        .replaced("Hướng nam", &HOSTILE.replace('"', "\\\""))
        .replaced("Nút thử", &HOSTILE.replace('"', "\\\""));
    let agent = Agent::run(&site.write());
    let url = page_of(&agent);
    assert!(url.starts_with("https://box-a.example:"), "{url}");
    let mut browser = Browser::start_with(1440, &switches(&pair));

    // Nobody is in.
    for (query, lang) in [("", "vi"), ("?lang=en", "en")] {
        browser.open(&format!("{url}{query}"));
        browser.until(&format!("location.pathname === '/login' && document.documentElement.lang === '{lang}'"));
        look(&mut browser, &format!("login-{lang}"));
    }
    for path in ["/api/v1/status", "/metrics", "/api/v1/accounts", "/api/v1/camera/nam/picture.jpg"] {
        assert_eq!(status_of(&mut browser, path), json!(401), "{path}");
    }

    // A wrong password, a name that is markup, then a pause.
    log_in(&mut browser, HOSTILE, PASSWORD);
    assert_eq!(text_of(&mut browser, "#refused"), json!("Account or password is wrong."));
    let mut said = Value::Null;
    for _ in 0..12 {
        log_in(&mut browser, "operator", "wrong password");
        said = text_of(&mut browser, "#refused");
        if said.as_str().is_some_and(|said| said.starts_with("Too many failed. Wait ")) {
            break;
        }
        assert_eq!(said, json!("Account or password is wrong."));
    }
    assert!(said.as_str().is_some_and(|said| said.contains("seconds")), "{said}");
    look(&mut browser, "throttled-en");
    assert_eq!(browser.value("document.getElementById('owned')"), json!(null));

    // The right one, once the pause is over.
    while !is_in(&mut browser) {
        log_in(&mut browser, "operator", PASSWORD);
    }
    browser.until("document.querySelector('#camera-nam img')?.naturalWidth > 0");
    browser.until("document.querySelector('.thumb:not([hidden]) img')?.naturalWidth > 0");
    assert_eq!(text_of(&mut browser, "#viewer-name"), json!("operator"));
    assert_eq!(browser.value("document.getElementById('owned')"), json!(null), "a name is text");
    assert!(browser.text().contains("Operator") && browser.value("document.cookie") == json!(""), "scripts see no id");
    for path in ["/metrics", "/api/v1/configuration", "/api/v1/accounts"] {
        assert_eq!(status_of(&mut browser, path), json!(403), "{path}");
    }
    look(&mut browser, "operator-en");
    browser.open(&url);
    browser.until("document.querySelector('#camera-nam img')?.naturalWidth > 0");
    let text = browser.text();
    assert!(text.contains(HOSTILE) && text.contains("Người vận hành") && text.contains("Đăng xuất"), "{text}");
    look(&mut browser, "operator-vi");
    browser.leave_by("document.querySelector('#log-out button').click()");
    assert_eq!(browser.value("location.pathname"), json!("/login"));
    assert_eq!(status_of(&mut browser, "/api/v1/status"), json!(401));

    // Without pictures of anybody.
    log_in(&mut browser, "viewer", PASSWORD);
    browser.until("document.querySelector('#camera-nam .no-picture:not([hidden])')?.textContent");
    let text = browser.text();
    assert!(text.contains("Vai trò của bạn không được xem mục này."), "{text}");
    assert_eq!(
        browser
            .value("document.querySelector('.thumb:not([hidden]), #accounts:not([hidden]), #technical:not([hidden])')"),
        json!(null)
    );
    assert_eq!(status_of(&mut browser, "/api/v1/camera/nam/picture.jpg"), json!(403));
    look(&mut browser, "viewer-vi");
    browser.leave_by("document.querySelector('#log-out button').click()");

    // The configuration, without its secrets.
    log_in(&mut browser, "integrator", PASSWORD);
    browser.until("!document.getElementById('technical').hidden");
    let configuration = browser.value("fetch('/api/v1/configuration').then((answer) => answer.text())");
    assert!(configuration.as_str().is_some_and(|text| text.contains("[[camera]]") && text.contains("page.key")));
    assert_eq!(status_of(&mut browser, "/metrics"), json!(200));
    browser.leave_by("document.querySelector('#log-out button').click()");

    // Who keeps the accounts; then the account is taken away.
    browser.open(&format!("{url}login?lang=en"));
    browser.until("document.getElementById('name')");
    log_in(&mut browser, "admin", PASSWORD);
    browser.until("document.querySelectorAll('#account-rows tr').length === 5");
    browser.until("document.querySelectorAll('#session-rows tr').length === 1");
    let rows = text_of(&mut browser, "#account-rows");
    assert!(rows.as_str().is_some_and(|rows| rows.contains(HOSTILE) && rows.contains("Integrator")), "{rows}");
    assert_eq!(browser.value("document.getElementById('owned')"), json!(null), "a certificate's name is text");
    look(&mut browser, "admin-en");
    files.account(&["remove", "admin"], "");
    browser.leave_by("null");
    agent.stderr.line_with("logged out account=\"admin\"");
    assert_eq!(
        browser.value("location.pathname + location.search"),
        json!("/login?lang=en"),
        "the page sends one back"
    );

    // A new certificate without a restart.
    files.put(&authority.sign("box-a.example", &["box-a.example"]));
    agent.stderr.line_with("status page: new certificate");

    let title = browser.value("document.title");
    assert!(title.as_str().is_some_and(|title| !title.contains("owned")), "{title}");
    let unexpected: Vec<&String> =
        browser.errors.iter().filter(|error| !error.contains("responded with a status of 4")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    let stopped = agent.stop().succeeded();
    for secret in [PASSWORD, "wrong password", "__Host-", "argon2id"] {
        assert!(!stopped.stderr.contains(secret) && !stopped.stdout.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn accounts_are_made_changed_listed_and_removed_and_never_with_a_weak_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("accounts");
    let account = |arguments: &[&str], typed: &str| {
        let (what, rest) = arguments.split_first().expect("a command");
        let mut command = edge_agent(["account", what]);
        let command = command.arg(&file).args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let _ = writeln!(child.stdin.take().expect("piped"), "{typed}");
        let output = child.wait_with_output().expect("ends");
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.success(), text)
    };
    let (done, text) = account(&["add", "an", "--role", "admin"], "too short");
    assert!(!done && text.contains("fewer than 12 characters") && !file.exists(), "{text}");
    assert!(account(&["add", "an", "--role", "admin"], "long enough, this").0);
    let (done, text) = account(&["add", "an", "--role", "viewer"], "long enough, this");
    assert!(!done && text.contains("already"), "{text}");
    assert!(account(&["add", "binh", "--role", "viewer"], "long enough, that").0);
    let before = std::fs::read_to_string(&file).expect("there");
    assert!(account(&["password", "binh"], "another that is long").0);
    let after = std::fs::read_to_string(&file).expect("there");
    assert!(before != after && after.contains("binh:viewer:$argon2id$v=19$m=19456,t=2,p=1$"), "{after}");
    assert_eq!(account(&["list"], "").1, "an  admin\nbinh  viewer\n");
    assert!(account(&["remove", "an"], "").0 && !account(&["remove", "an"], "").0);
    assert_eq!(account(&["list"], "").1, "binh  viewer\n");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let refused = finished(["account", "add", "/tmp/x", "an", "--role", "root"]).failed(2);
    assert!(refused.contains("viewer, operator, integrator, admin"), "{refused}");
}

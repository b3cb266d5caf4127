//! The page for other machines, over real TLS connections.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::super::routes::{Needs, behind_log_in, everywhere};
use super::super::server::REFUSALS;
use super::*;
use crate::access::{Account, AccountName, PasswordHash, Right, Role};
use crate::config::SecretRef;
use crate::secret::Secret;

const PASSWORD: &str = "mười hai ký tự";

/// An authority of a test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signs itself"))
    }

    /// Certificate and key, PEM.
    fn sign(&self, names: &[&str]) -> (String, String) {
        let mut params = CertificateParams::new(vec!["box-a.example".to_owned()]).expect("a name");
        names.iter().for_each(|name| params.distinguished_name.push(DnType::CommonName, *name));
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("signs").pem(), key.serialize_pem())
    }
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("writes");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("mode");
}

/// A page served over TLS until it is dropped.
struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl Served {
    /// With an account of each role, named like it, and a certificate of each, named `cert-` and the role.
    async fn start(has_accounts: bool) -> Self {
        let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
        let at = |name: &str| folder.path().join(name);
        let (certificate, key) = authority.sign(&["the page"]);
        std::fs::write(at("page.pem"), certificate).expect("writes");
        write_secret(&at("page.key"), &key);
        std::fs::write(at("clients.pem"), authority.0.pem()).expect("writes");
        let mut accounts = Accounts::default();
        let hash = PasswordHash::of("nobody", &Secret::new(PASSWORD)).expect("good");
        for role in Role::ALL {
            let name = AccountName::new(role.label()).expect("a name");
            accounts.put(Account { name, role, hash: hash.clone() });
        }
        accounts.write(&at("accounts")).expect("written");
        let remote = Remote {
            names: vec!["box-a.example".to_owned()],
            certificate: at("page.pem"),
            key: SecretRef::File(at("page.key")),
            accounts: has_accounts.then(|| at("accounts")),
            client_ca: Some(at("clients.pem")),
            roles: Role::ALL.map(|role| (format!("cert-{}", role.label()), role)).into(),
        };
        let (state, mut told) = watch::channel(PageState::Starting);
        let (listen, stop) = (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), CancellationToken::new());
        let task = PageTask { listen, remote: Some(remote), audit: None, sources: sources(), state };
        tokio::spawn(task.run(stop.clone()));
        let listening =
            told.wait_for(|state| matches!(state, PageState::Listening(_))).await.expect("it opens").clone();
        let PageState::Listening(address) = listening else { unreachable!("waited for") };
        Self { address, stop, authority, _folder: folder }
    }

    /// Sends this over TLS, with a certificate of this name; all that comes back.
    async fn ask(&self, certificate: Option<&str>, request: &str) -> std::io::Result<String> {
        let pair = certificate.map(|name| self.authority.sign(&[name]));
        self.ask_with(pair, request).await
    }

    async fn ask_with(&self, pair: Option<(String, String)>, request: &str) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
        let builder = builder.with_root_certificates(roots);
        let config = match pair {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        let name = ServerName::try_from("box-a.example").expect("a name");
        let stream = TcpStream::connect(self.address).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer).await {
            // Some end without a goodbye.
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    async fn get(&self, certificate: Option<&str>, path: &str, more: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: box-a.example:8443\r\nConnection: close\r\n{more}\r\n");
        self.ask(certificate, &head).await.expect("answers")
    }

    /// Sends a form, as this page's own unless `more` says otherwise.
    async fn post(&self, path: &str, form: &str, more: &str) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: box-a.example:8443\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n{form}",
            form.len()
        );
        self.ask(None, &head).await.expect("answers")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const OWN: &str = "Sec-Fetch-Site: same-origin\r\nOrigin: https://box-a.example:8443\r\n";

fn code(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status: {answer}"))
}

/// The routes with their parameters filled in.
fn paths() -> Vec<(String, Needs)> {
    let routes = everywhere().into_iter().chain(behind_log_in());
    routes.map(|(path, needs, _)| (path.replace(['{', '}'], ""), needs)).collect()
}

#[tokio::test]
async fn each_role_sees_what_the_table_gives_it_and_nothing_else() {
    let page = Served::start(true).await;
    for (path, needs) in paths() {
        let Needs::Right(right) = needs else { continue };
        let nobody = page.get(None, &path, "").await;
        assert!([401, 303].contains(&code(&nobody)), "{path}: {nobody}");
        assert!(path == "/" || code(&nobody) == 401, "{path}: {nobody}");
        for role in Role::ALL {
            let seen = code(&page.get(Some(&format!("cert-{}", role.label())), &path, "").await);
            let may = seen != 401 && seen != 403;
            assert_eq!(may, role.may(right), "{path} as {role:?}: {seen}");
        }
        let stranger = page.get(Some("somebody else"), &path, "").await;
        assert!([401, 303].contains(&code(&stranger)), "a certificate without a role: {path}: {stranger}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_in_bounds() {
    let page = Served::start(true).await;
    for path in ["/", "/login", "/nothing", "/api/v1/status"] {
        let answer = page.get(Some("cert-viewer"), path, "").await.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src \
             'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "strict-transport-security: max-age=31536000",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "cache-control: no-store",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "referrer-policy: same-origin",
        ] {
            assert!(answer.contains(header), "{path}: {header}\n{answer}");
        }
    }
}

#[tokio::test]
async fn a_log_in_gives_a_cookie_that_stays_here_and_a_log_out_ends_it() {
    let page = Served::start(true).await;
    let form = |password: &str| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("name", "operator").append_pair("password", password).append_pair("lang", "en").finish()
    };
    let wrong = page.post("/login", &form("mười hai ký tử"), OWN).await;
    assert_eq!(code(&wrong), 403);
    assert!(wrong.contains("Account or password is wrong.") && !wrong.to_lowercase().contains("set-cookie"), "{wrong}");
    assert_eq!(code(&page.post("/login", &form(PASSWORD), "Sec-Fetch-Site: cross-site\r\n").await), 403);
    assert_eq!(code(&page.post("/login", &form(PASSWORD), "").await), 403, "no browser of this page's");
    let right = page.post("/login", &form(PASSWORD), OWN).await;
    assert_eq!(code(&right), 303, "{right}");
    assert!(right.contains("location: /?lang=en"), "{right}");
    let cookie = right.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie").trim();
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict");
    assert!(pair.starts_with("__Host-ngatu=") && pair.len() == "__Host-ngatu=".len() + 64);

    let with = format!("Cookie: {pair}\r\n");
    let status = page.get(None, "/api/v1/status", &with).await;
    assert!(status.contains("\"viewer\":{\"name\":\"operator\",\"role\":\"operator\""), "{status}");
    assert_eq!(code(&page.get(None, "/metrics", &with).await), 403);
    assert_eq!(code(&page.get(None, "/login", &with).await), 303, "who is in needs no form");
    let other = page.post("/login", &form(PASSWORD), &format!("{OWN}{with}")).await;
    assert!(!other.contains(pair), "every log-in has an id of its own");
    assert_eq!(code(&page.get(None, "/api/v1/status", &with).await), 401, "and ends the one before");
    let pair = other.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next()).expect("a cookie");
    let with = format!("Cookie: {pair}\r\n");
    assert_eq!(code(&page.post("/logout", "lang=en", &format!("{with}Sec-Fetch-Site: cross-site\r\n")).await), 403);
    assert_eq!(code(&page.get(None, "/api/v1/status", &with).await), 200, "another page cannot log somebody out");
    let out = page.post("/logout", "lang=en", &format!("{OWN}{with}")).await;
    assert!(code(&out) == 303 && out.contains("Max-Age=0"), "{out}");
    assert_eq!(code(&page.get(None, "/api/v1/status", &with).await), 401);
}

#[tokio::test]
async fn a_connection_that_is_refused_again_and_again_is_closed() {
    let served = Served::start(true).await;
    let asked = "GET /api/v1/status HTTP/1.1\r\nHost: box-a.example:8443\r\n\r\n";
    let answer = served.ask(None, &asked.repeat(3 * REFUSALS as usize)).await.expect("answers");
    assert_eq!(answer.matches("HTTP/1.1 401").count(), REFUSALS as usize, "{answer}");
    assert_eq!(answer.to_lowercase().matches("connection: close").count(), 1);
    // Who may ask is asked on.
    let last = asked.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let pages = asked.repeat(3 * REFUSALS as usize) + &last;
    let answer = served.ask(Some("cert-operator"), &pages).await.expect("answers");
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3 * REFUSALS as usize + 1);
}

#[tokio::test]
async fn nothing_but_forms_is_taken_and_only_by_the_pages_own_name() {
    let page = Served::start(true).await;
    let long = "a".repeat(5000);
    assert_eq!(code(&page.post("/login", &long, OWN).await), 413);
    assert_eq!(code(&page.post("/login", "", &format!("{OWN}Transfer-Encoding: chunked\r\n")).await), 413);
    assert_eq!(code(&page.post("/api/v1/status", "", OWN).await), 401);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = format!("{method} / HTTP/1.1\r\nHost: box-a.example\r\n{OWN}Connection: close\r\n\r\n")
            .replace("box-a.example:8443", "box-a.example");
        assert_eq!(code(&page.ask(Some("cert-viewer"), &request).await.expect("answers")), 405, "{method}");
    }
    for host in ["localhost", "127.0.0.1", "evil.example", "box-a.example.evil"] {
        let request = format!("GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(code(&page.ask(None, &request).await.expect("answers")), 421, "{host}");
    }
}

#[tokio::test]
async fn what_is_not_tls_or_has_a_strangers_certificate_gets_no_answer() {
    let page = Served::start(true).await;
    let mut plain = TcpStream::connect(page.address).await.expect("connects");
    plain.write_all(b"GET /login HTTP/1.1\r\nHost: box-a.example\r\n\r\n").await.expect("writes");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));

    let request = "GET / HTTP/1.1\r\nHost: box-a.example\r\nConnection: close\r\n\r\n";
    let stranger = Authority::new().sign(&["cert-admin"]);
    assert!(page.ask_with(Some(stranger), request).await.is_err(), "signed by someone else");
    let only_certificates = Served::start(false).await;
    assert!(only_certificates.ask(None, request).await.is_err());
    assert_eq!(code(&only_certificates.ask(Some("cert-viewer"), request).await.expect("answers")), 200);
}

#[tokio::test]
async fn a_viewers_status_has_neither_pictures_nor_incidents_nor_failures_in_the_systems_words() {
    let sources = sources();
    sources.cameras[0].latest.set(shot(7));
    sources.recent.note(&[draft(1, 1, Phase::New)].into());
    let mut whole = super::super::status::box_status(&sources).expect("started");
    whole.broker.last_error = Some("refused".to_owned());
    whole.cameras[0].detail = Some("not found (404)".to_owned());
    let see = |role| {
        let identity = crate::access::Identity { name: HOSTILE.to_owned(), role, via: crate::access::Via::Certificate };
        let status = super::super::status::seen_by(whole.clone(), Some(&identity));
        let seen = [
            status.cameras[0].picture.is_some(),
            !status.incidents.is_empty(),
            status.cameras[0].detail.is_some() && status.broker.last_error.is_some(),
        ];
        (seen, status.viewer.expect("told").may)
    };
    for role in Role::ALL {
        let (seen, may) = see(role);
        assert_eq!(
            seen,
            [Right::Pictures, Right::Incidents, Right::Diagnostics].map(|right| role.may(right)),
            "{role:?}"
        );
        assert_eq!(may, role.rights());
    }
    assert_eq!(super::super::status::seen_by(whole.clone(), None), whole, "on loopback everybody sees all");
}

#[test]
fn the_security_page_shows_the_table_of_the_program() {
    let text = include_str!("../../../../SECURITY.md");
    for right in Right::ALL {
        let label = serde_json::to_value(right).expect("a word");
        let marks: String = Role::ALL.map(|role| if role.may(right) { " yes |" } else { " – |" }).concat();
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", label.as_str().expect("a word"))));
        let row = row.unwrap_or_else(|| panic!("{right:?} is not in SECURITY.md"));
        assert!(row.ends_with(&marks), "{row}: {marks}");
        for (path, needs, _) in everywhere().into_iter().chain(behind_log_in()) {
            let is_there = row.contains(&format!("`{path}`"));
            assert_eq!(is_there, needs == Needs::Right(right), "{path} in the row of {right:?}");
        }
    }
}

#[test]
fn a_page_whose_files_cannot_be_used_says_which_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let remote = Remote {
        names: vec!["box-a.example".to_owned()],
        certificate: at("page.pem"),
        key: SecretRef::File(at("page.key")),
        accounts: Some(at("accounts")),
        client_ca: None,
        roles: BTreeMap::new(),
    };
    let problem = || try_remote(&remote).expect_err("not usable").to_string();
    assert!(problem().contains("page.pem cannot be read"), "{}", problem());
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign(&["page"]);
    std::fs::write(at("page.pem"), certificate).expect("writes");
    write_secret(&at("page.key"), &other.sign(&["page"]).1);
    assert!(problem().contains("does not belong to the certificate"), "{}", problem());
    write_secret(&at("page.key"), &key);
    assert!(problem().contains("edge-agent account add"), "{}", problem());
    Accounts::default().write(&at("accounts")).expect("written");
    assert_eq!(try_remote(&remote).expect("usable"), 0);
    let before = PageTls::new(&remote).stamp();
    std::fs::write(at("page.pem"), authority.sign(&["page"]).0).expect("writes");
    assert_ne!(PageTls::new(&remote).stamp(), before, "a renewed certificate is noticed");
}

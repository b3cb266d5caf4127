//! `models pull`: from a server that gives, gives wrong, gives nothing or breaks off, over TLS, and from a folder.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tempfile::TempDir;

use crate::agent::{Agent, Finished, edge_agent, root};

const MODEL: &str = "tiny-ssd";
const FILE: &str = "tiny_ssd.onnx";

fn fixture(name: &str) -> PathBuf {
    root().join("edge-agent/tests/data/detect/models").join(MODEL).join(name)
}

fn weights() -> Vec<u8> {
    std::fs::read(fixture(FILE)).expect("is there")
}

/// An installation with one model whose weights are not there.
struct Installation {
    folder: TempDir,
    home: PathBuf,
}

impl Installation {
    /// Below `place` of a folder of its own; the model's address is `url`.
    fn at(place: &str, url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join(place);
        let model = home.join("models").join(MODEL);
        std::fs::create_dir_all(&model).expect("makes the folder");
        for part in ["pipelines", "hw-profiles"] {
            std::os::unix::fs::symlink(root().join(part), home.join(part)).expect("links");
        }
        std::fs::copy(fixture("tiny.labels"), model.join("tiny.labels")).expect("copies");
        let manifest = std::fs::read_to_string(fixture("model.toml")).expect("is there");
        let url = url.map(|url| format!("url = \"{url}\"\n")).unwrap_or_default();
        std::fs::write(model.join("model.toml"), format!("{url}{manifest}")).expect("writes");
        Self { folder, home }
    }

    fn with(url: &str) -> Self {
        Self::at("", Some(url))
    }

    fn run(&self, arguments: &[&str], authorities: Option<&Path>) -> Finished {
        let mut command = edge_agent(["models"].iter().chain(arguments));
        command.env("NGATU_HOME", &self.home).env("STATE_DIRECTORY", self.folder.path().join("state"));
        for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        if let Some(authorities) = authorities {
            command.env("SSL_CERT_FILE", authorities);
        }
        Agent::start(&mut command).finish()
    }

    fn pull(&self, more: &[&str]) -> Finished {
        self.run(&[&["pull", MODEL], more].concat(), None)
    }

    /// The files of the model's folder, hidden ones too.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.home.join("models").join(MODEL)).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    fn is_whole(&self) {
        assert_eq!(self.files(), ["model.toml", "tiny.labels", FILE]);
        self.run(&["verify", MODEL], None).succeeded();
    }

    fn is_untouched(&self) {
        assert_eq!(self.files(), ["model.toml", "tiny.labels"]);
    }
}

/// A web server with the weights, others, and nothing else.
async fn server() -> SocketAddr {
    let routes = Router::new()
        .route("/good.onnx", get(|| async { weights() }))
        .route("/bad.onnx", get(|| async { b"not these".to_vec() }))
        .route("/moved.onnx", get(|| async { axum::response::Redirect::temporary("/good.onnx") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_are_fetched_proven_and_found() {
    let address = server().await;
    for path in ["good", "moved"] {
        let installation = Installation::with(&format!("http://{address}/{path}.onnx"));
        let done = installation.pull(&[]).succeeded();
        assert!(done.stdout.contains("tiny-ssd: fetched and verified"), "{}", done.stdout);
        assert_eq!(done.stderr, "", "no progress where nobody looks");
        installation.is_whole();
        assert!(installation.pull(&[]).succeeded().stdout.contains("is here already"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_or_not_there_leaves_nothing_and_says_why() {
    let address = server().await;
    let bad = Installation::with(&format!("http://{address}/bad.onnx"));
    let said = bad.pull(&[]).failed(1);
    assert!(said.contains("its sha256 is ") && said.contains("nothing was kept"), "{said}");
    bad.is_untouched();

    let absent = Installation::with(&format!("http://{address}/absent.onnx"));
    let said = absent.pull(&[]).failed(1);
    assert!(said.contains("answers 404 Not Found") && said.contains("--from"), "{said}");
    absent.is_untouched();

    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let said = Installation::with(&format!("http://{nobody}/x.onnx")).pull(&[]).failed(1);
    assert!(said.contains("refused") && said.contains("is there a way to the internet?"), "{said}");

    let by_hand = Installation::at("", None);
    let said = by_hand.pull(&[]).failed(1);
    assert!(said.contains("get it by hand (https://tiny.example/scripts/record_tensors.py)"), "{said}");
    by_hand.is_untouched();

    let good = Installation::with(&format!("http://{address}/good.onnx"));
    let said = good.pull(&["--to", "/proc/self/nowhere"]).failed(1);
    assert!(said.contains("/proc/self/nowhere cannot be written") && said.contains("--to FOLDER"), "{said}");
    let said = good.run(&["pull", "yolo-v99"], None).failed(1);
    assert!(said.contains("no model \"yolo-v99\"") && said.contains("tiny-ssd"), "{said}");
}

/// Reads a request's head; its lines.
fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("UTF-8").to_lowercase()
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let installation = Installation::with(&format!("http://{}/x.onnx", listener.local_addr().expect("bound")));
    let (all, half) = (weights(), weights().len() / 2);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        assert!(!head(&mut stream).contains("range:"));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", all.len()).expect("sends");
        stream.write_all(&all[..half]).expect("sends");
        drop(stream);
        let (mut stream, _) = listener.accept().expect("a client");
        let request = head(&mut stream);
        assert!(request.contains(&format!("range: bytes={half}-")), "{request}");
        let (rest, total) = (all.len() - half, all.len());
        let range = format!("bytes {half}-{}/{total}", total - 1);
        write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\nContent-Length: {rest}\r\n\r\n")
            .expect("sends");
        stream.write_all(&all[half..]).expect("sends");
    });
    let said = installation.pull(&[]).failed(1);
    assert!(said.contains("broke off") && said.contains("run it again"), "{said}");
    assert!(!installation.files().contains(&FILE.to_owned()), "half a file has not its name");
    installation.pull(&[]).succeeded();
    server.join().expect("both requests were as expected");
    installation.is_whole();
}

#[test]
fn an_address_with_tls_is_believed_when_this_machine_trusts_its_authority() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("a matching key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let installation = Installation::with(&format!("https://{}/x.onnx", listener.local_addr().expect("bound")));
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
            let mut stream = rustls::StreamOwned::new(connection, stream.expect("a client"));
            // A client that does not believe it goes away.
            if head(&mut stream).is_empty() {
                continue;
            }
            let all = weights();
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", all.len())
                .expect("sends");
            stream.write_all(&all).expect("sends");
            stream.conn.send_close_notify();
            stream.flush().expect("sends");
        }
    });
    let own = installation.folder.path().join("authority.pem");
    std::fs::write(&own, made.cert.pem()).expect("writes");
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let foreign = installation.folder.path().join("other.pem");
    std::fs::write(&foreign, other.cert.pem()).expect("writes");
    let said = installation.run(&["pull", MODEL], Some(&foreign)).failed(1);
    assert!(said.to_lowercase().contains("certificate"), "{said}");
    installation.is_untouched();
    installation.run(&["pull", MODEL], Some(&own)).succeeded();
    installation.is_whole();
}

#[test]
fn a_folder_serves_as_well_whatever_the_file_is_called() {
    let stick = tempfile::tempdir().expect("a folder");
    let installation = Installation::at("", None);
    let from = stick.path().to_str().expect("UTF-8");
    let said = installation.pull(&["--from", from]).failed(1);
    assert!(said.contains("no .onnx file in it is tiny_ssd.onnx"), "{said}");
    std::fs::write(stick.path().join(FILE), "not these").expect("writes");
    let said = installation.pull(&["--from", from]).failed(1);
    assert!(said.contains("its sha256 is "), "{said}");
    installation.is_untouched();
    std::fs::copy(fixture(FILE), stick.path().join("downloaded (1).onnx")).expect("copies");
    installation.pull(&["--from", from]).succeeded();
    installation.is_whole();
}

/// A package's folders belong to the package manager.
#[test]
fn an_installed_program_keeps_what_it_fetches_in_its_state_folder() {
    let installation = Installation::at("usr/share/ngatu", None);
    let from = fixture("");
    let done = installation.pull(&["--from", from.to_str().expect("UTF-8")]).succeeded();
    let target = installation.folder.path().join("state/models").join(FILE);
    assert!(target.is_file() && done.stdout.contains(&target.display().to_string()), "{}", done.stdout);
    installation.is_untouched();
    installation.run(&["verify", MODEL], None).succeeded();
}

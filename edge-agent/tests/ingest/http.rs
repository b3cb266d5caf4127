//! Motion JPEG over HTTP, from a server that does what cameras' do.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use edge_agent::frame::{Colorimetry, Matrix, Range};
use edge_agent::source::{Credentials, HttpParams, HttpSource, SourceState};

use crate::stage::{CANARY, Camera, SIZE, brightness, credentials, make};

/// viewer:c4n4ry-Pa55/w?rd, as HTTP writes it.
const AUTHORIZATION: &str = "Authorization: Basic dmlld2VyOmM0bjRyeS1QYTU1L3c/cmQ=";

/// White pictures, each a part of a multipart answer.
pub(crate) fn multipart(folder: &Path) -> Vec<Vec<u8>> {
    let (width, height) = SIZE;
    let text = format!(
        "videotestsrc num-buffers=10 pattern=white ! video/x-raw,format=I420,width={width},height={height},framerate=10/1 ! \
         jpegenc ! multipartmux boundary=picture ! filesink location={{}}"
    );
    let bytes = std::fs::read(make(folder, "pictures", &text)).expect("written");
    let begins: Vec<usize> =
        (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"--picture")).chain([bytes.len()]).collect();
    assert_eq!(begins.len(), 11);
    begins.windows(2).map(|part| bytes[part[0]..part[1]].to_vec()).collect()
}

/// Sends the pictures for ever at `/mjpeg`, asks for a log-in; ends its connections when dropped.
pub(crate) struct MjpegServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    viewers: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl MjpegServer {
    pub(crate) fn start(parts: &[Vec<u8>]) -> Self {
        Self::start_on(0, parts)
    }

    fn start_on(port: u16, parts: &[Vec<u8>]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, viewers) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (parts, stopped, seen) = (Arc::new(parts.to_vec()), Arc::clone(&stop), Arc::clone(&viewers));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone().expect("a handle"));
                let parts = Arc::clone(&parts);
                // A viewer that goes away ends it.
                thread::spawn(move || drop(answer(stream, &parts)));
            }
        });
        Self { address, stop, viewers, thread: Some(thread) }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().expect("a url")
    }
}

impl Drop for MjpegServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
        for viewer in self.viewers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = viewer.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Answers until the viewer goes; like cameras, on one connection.
fn answer(mut stream: TcpStream, parts: &[Vec<u8>]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(request) = lines.next() {
        let request = request?;
        let headers: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let path = request.split(' ').nth(1).unwrap_or_default();
        if path != "/mjpeg" && path != "/page" {
            write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        } else if !headers.iter().any(|header| header == AUTHORIZATION) {
            let ask = "WWW-Authenticate: Basic realm=\"camera\"";
            write!(stream, "HTTP/1.1 401 Unauthorized\r\n{ask}\r\nContent-Length: 0\r\n\r\n")?;
        } else if path == "/page" {
            let page = "<html>No pictures here.</html>".repeat(100);
            let head = format!("Content-Type: text/html\r\nContent-Length: {}", page.len());
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{page}")?;
        } else {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=picture\r\n\r\n")?;
            for part in parts.iter().cycle() {
                stream.write_all(part)?;
                thread::park_timeout(Duration::from_millis(100));
            }
        }
    }
    Ok(())
}

fn camera(url: url::Url, credentials: Option<Credentials>) -> Camera {
    Camera::of(HttpSource::new(HttpParams { url, credentials }).expect("a url"))
}

#[tokio::test(flavor = "multi_thread")]
async fn motion_jpeg_over_http_is_received_and_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = multipart(folder.path());
    let server = MjpegServer::start(&parts);
    let port = server.address.port();
    let mut camera = camera(server.url("/mjpeg"), Some(credentials(CANARY)));
    let first = camera.frame().await;
    assert_eq!((first.picture.width(), first.picture.height()), SIZE);
    assert_eq!(first.picture.layout().colorimetry, Colorimetry { matrix: Matrix::Bt601, range: Range::Full });
    assert!(brightness(&first.picture) > 230.0, "{}", brightness(&first.picture));
    let online = camera.until(|status| status.state == SourceState::Online && status.stream.is_some()).await;
    let stream = online.stream.expect("described");
    assert_eq!((stream.codec.as_str(), stream.decoder.as_str(), stream.size), ("JPEG", "jpegdec", Some(SIZE)));
    let mut last = first.stamp;
    for _ in 0..10 {
        let stamp = camera.frame().await.stamp;
        assert!(stamp.pts > last.pts && stamp.seq > last.seq);
        last = stamp;
    }
    drop(server);
    camera.until(|status| status.state == SourceState::Degraded).await;
    let _server = MjpegServer::start_on(port, &parts);
    let online = camera.until(|status| status.state == SourceState::Online).await;
    assert_eq!(online.reconnects, 1);
    camera.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_http_camera_refuses_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = MjpegServer::start(&multipart(folder.path()));
    let right = || Some(credentials(CANARY));
    for (path, log_in, reason) in [
        ("/mjpeg", None, "unauthorised"),
        ("/mjpeg", Some(credentials("wrong")), "unauthorised"),
        ("/nowhere", right(), "not_found"),
        ("/page", right(), "decoder"),
    ] {
        let mut camera = camera(server.url(path), log_in);
        let failed = camera.until(|status| status.reason.is_some()).await;
        assert_eq!(failed.reason, Some(reason), "{path}: {failed:?}");
        camera.stop().await;
    }
}

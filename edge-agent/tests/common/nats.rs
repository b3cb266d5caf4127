//! A real NATS server that speaks MQTT 3.1.1, on a free port of loopback; what it keeps outlives its being killed.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use edge_agent::publish::{BrokerParams, Protocol};
use tempfile::TempDir;

use super::mosquitto::{DEADLINE, answers};

/// A server that can be killed and started again on the same port.
pub(crate) struct Nats {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Nats {
    /// A started server.
    pub(crate) fn started() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let store = folder.path().join("store");
        let config = format!(
            "server_name: test\nlisten: \"127.0.0.1:-1\"\n\
             jetstream {{ store_dir: \"{}\" }}\nmqtt {{ listen: \"127.0.0.1:{port}\" }}\n",
            store.display()
        );
        std::fs::write(folder.path().join("nats.conf"), config).expect("writes the configuration");
        let mut server = Self { folder, port, child: None };
        server.start();
        server
    }

    /// How to reach it.
    pub(crate) fn params(&self) -> BrokerParams {
        BrokerParams { protocol: Protocol::V311, ..BrokerParams::plain("127.0.0.1", self.port) }
    }

    /// Starts it and waits until it answers a CONNECT.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "already started");
        let log = std::fs::File::create(self.folder.path().join("server.log")).expect("a log");
        let child = Command::new("nats-server")
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server is installed (apt-get install nats-server)");
        self.child = Some(child);
        let deadline = Instant::now() + DEADLINE;
        while !answers(self.port) {
            assert!(Instant::now() < deadline, "nats-server does not answer: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

//! A real Mosquitto on a free port of loopback, with nothing persistent, gone when dropped.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use edge_agent::publish::BrokerParams;
use tempfile::TempDir;

/// How long anything in these tests may take before it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A broker that can be killed, frozen and started again on the same port.
pub(crate) struct Mosquitto {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// A started broker with the given lines of configuration beside the defaults.
    pub(crate) fn start_with(lines: &[&str]) -> Self {
        let mut broker = Self::stopped_with(lines);
        broker.start();
        broker
    }

    /// A broker with this file as its configuration, `{port}` in it replaced, that is not started yet.
    pub(crate) fn stopped_with_file(config: &str) -> Self {
        let broker = Self::stopped_with(&[]);
        let config = config.replace("{port}", &broker.port.to_string());
        std::fs::write(broker.path("mosquitto.conf"), config).expect("writes the configuration");
        broker
    }

    /// A started broker that takes everyone.
    pub(crate) fn start_open() -> Self {
        Self::start_with(&["allow_anonymous true"])
    }

    /// A broker that is not started yet.
    pub(crate) fn stopped_with(lines: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The port is free at this instant; nothing else in these tests asks for a fixed one.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let mut config = format!("listener {port} 127.0.0.1\npersistence false\nlog_dest stderr\n");
        for line in lines {
            writeln!(config, "{line}").expect("writes to a string");
        }
        std::fs::write(folder.path().join("mosquitto.conf"), config).expect("writes the configuration");
        Self { folder, port, child: None }
    }

    /// Adds a line of configuration; before it is started.
    pub(crate) fn configure(&self, line: &str) {
        let path = self.path("mosquitto.conf");
        let mut config = std::fs::read_to_string(&path).expect("was written");
        writeln!(config, "{line}").expect("writes to a string");
        std::fs::write(path, config).expect("writes the configuration");
    }

    /// A file beside the configuration, and its path for use in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How to reach it.
    pub(crate) fn params(&self) -> BrokerParams {
        BrokerParams::plain("127.0.0.1", self.port)
    }

    /// Starts it and waits until it answers a CONNECT.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "already started");
        let binary = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
            .expect("mosquitto is installed (apt-get install mosquitto)");
        let log = std::fs::File::create(self.folder.path().join("broker.log")).expect("a log");
        let child = Command::new(binary)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mosquitto starts");
        self.child = Some(child);
        let deadline = Instant::now() + DEADLINE;
        while !self.answers() {
            assert!(Instant::now() < deadline, "mosquitto does not answer: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// Whether it answers; with TLS, whether it listens.
    fn answers(&self) -> bool {
        let config = std::fs::read_to_string(self.path("mosquitto.conf")).expect("was written");
        if config.contains("certfile") {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        } else {
            answers(self.port)
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it in the middle of whatever it does: it neither answers nor closes.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Lets it read its access rules again.
    pub(crate) fn reload(&self) {
        self.signal("HUP");
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("started").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "kill -s {name} {pid}");
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("broker.log")).unwrap_or_default()
    }
}

/// Whether something on this port answers an MQTT 3.1.1 CONNECT (with whatever return code).
pub(crate) fn answers(port: u16) -> bool {
    const CONNECT: [u8; 19] = [0x10, 17, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 10, 0, 5, b'p', b'r', b'o', b'b', b'e'];
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    stream.write_all(&CONNECT).is_ok() && stream.read_exact(&mut [0; 4]).is_ok()
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

//! A site file and its storage, in a folder of their own.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uuid::Uuid;

use crate::common::process::DEADLINE;

/// How often the disk is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What stands before the id of an event.
const EVENT_ID: &str = r#"{"specversion":"1.0","id":""#;

/// Everything but the cameras; `{port}` is the broker's.
const HEAD: &str = r#"
[site]
id = "nut-thu"
name = { vi = "Nút thử", en = "Test junction" }

[box]
id = "box-a"

[mqtt]
url = "mqtt://127.0.0.1:{port}"

[evidence]
snapshots = false

[storage]
path = "storage"

[status]
listen = "127.0.0.1:0"
"#;

/// A camera under which something happens all the time; `{id}` and `{detect}` are filled in.
const CAMERA: &str = r#"
[[camera]]
id = "{id}"
name = { vi = "Hướng {id}", en = "Towards {id}" }
pipeline = "perimeter"
detect = { {detect} }

[camera.line]
at-2 = { points = [[0.2, 0.0], [0.2, 1.0]] }
at-4 = { points = [[0.4, 0.0], [0.4, 1.0]] }
at-6 = { points = [[0.6, 0.0], [0.6, 1.0]] }
at-8 = { points = [[0.8, 0.0], [0.8, 1.0]] }

[camera.zone.left]
kind = "restricted"
polygon = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]

[camera.zone.right]
kind = "area"
polygon = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]

[camera.measure]
enabled = false

[[camera.rule]]
id = "count-2"
kind = "line-crossing"
line = "at-2"

[[camera.rule]]
id = "count-4"
kind = "line-crossing"
line = "at-4"

[[camera.rule]]
id = "count-6"
kind = "line-crossing"
line = "at-6"

[[camera.rule]]
id = "count-8"
kind = "line-crossing"
line = "at-8"

[[camera.rule]]
id = "keep-off"
kind = "intrusion"
zone = "left"
hold = "0.2s"

[[camera.rule]]
id = "lingering"
kind = "loitering"
zone = "right"
dwell = "2s"

[[camera.rule]]
id = "group"
kind = "crowding"
zone = "right"
count = 2
hold = "0.5s"
"#;

/// A site with one camera that nobody answers for, of the pipeline `yard`, which an installation of a test brings.
pub(crate) const YARD: &str = r#"
[site]
id = "nut-thu"
name = { vi = "Nút thử", en = "Test junction" }
[box]
id = "box-a"
[mqtt]
url = "mqtt://127.0.0.1:1"
[storage]
path = "storage"
[status]
listen = "127.0.0.1:0"
[[camera]]
id = "nam"
name = { vi = "Nam", en = "South" }
pipeline = "yard"
detect = { url = "rtsp://127.0.0.1:1/sub" }
[camera.line.mid]
points = [[0.5, 0.0], [0.5, 1.0]]
[[camera.rule]]
id = "dem"
kind = "line-crossing"
line = "mid"
"#;

/// A site file that can be added to; gone when dropped, with all that the program stored.
pub(crate) struct SiteFile {
    folder: TempDir,
    text: String,
}

impl SiteFile {
    /// A site without cameras whose broker listens on `port` of loopback.
    pub(crate) fn new(port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, text: HEAD.replace("{port}", &port.to_string()) }
    }

    /// Logs in to the broker, with the password in a file beside the site's.
    pub(crate) fn broker_log_in(mut self, user: &str, file: &str) -> Self {
        let log_in = format!("[mqtt]\nusername = \"{user}\"\npassword = {{ file = \"{file}\" }}");
        self.text = self.text.replacen("[mqtt]", &log_in, 1);
        self
    }

    /// Reaches the broker over TLS, which this authority vouches for.
    pub(crate) fn broker_tls(mut self, ca: &std::path::Path) -> Self {
        let tls = format!("[mqtt]\nca = \"{}\"", ca.display());
        self.text = self.text.replacen("[mqtt]", &tls, 1).replacen("mqtt://", "mqtts://", 1);
        self
    }

    /// Photographs every incident.
    pub(crate) fn with_pictures(mut self) -> Self {
        let evidence = "snapshots = true\nsnapshots_from = \"info\"";
        self.text = self.text.replacen("snapshots = false", evidence, 1);
        self
    }

    /// The file of a picture.
    pub(crate) fn picture(&self, incident: Uuid, name: &str) -> PathBuf {
        self.storage().join("evidence").join(format!("{incident}_{name}"))
    }

    /// Adds a camera at `url`; `more` are further keys of its stream.
    pub(crate) fn camera(mut self, id: &str, url: &str, more: &str) -> Self {
        let detect = format!("url = \"{url}\"{more}");
        self.text.push_str(&CAMERA.replace("{id}", id).replace("{detect}", &detect));
        self
    }

    /// With other words in the place of some.
    pub(crate) fn replaced(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "{from}");
        self.text = self.text.replace(from, to);
        self
    }

    /// Writes a file beside the site's that only its owner may read; its path.
    pub(crate) fn secret(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("in the folder")).expect("makes the folder");
        std::fs::write(&path, content).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("sets the mode");
        path
    }

    /// Writes it; its path.
    pub(crate) fn write(&self) -> PathBuf {
        let path = self.folder.path().join("site.toml");
        std::fs::write(&path, &self.text).expect("writes");
        path
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// Waits until the events that are on the disk are as wanted; those.
    pub(crate) fn until_stored(&self, is_so: impl Fn(&BTreeSet<Uuid>) -> bool) -> BTreeSet<Uuid> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let stored = self.stored();
            if is_so(&stored) {
                return stored;
            }
            assert!(Instant::now() < deadline, "not in time: {stored:?}");
            std::thread::park_timeout(POLL);
        }
    }

    /// The ids of the events in the outbox's files, some of them delivered already. The files are read as they are:
    /// the program has locked the database.
    fn stored(&self) -> BTreeSet<Uuid> {
        let files = ["outbox.sqlite", "outbox.sqlite-wal"].map(|name| self.storage().join(name));
        let read = |path: &PathBuf| std::fs::read(path).unwrap_or_default();
        let text: Vec<String> = files.iter().map(|path| String::from_utf8_lossy(&read(path)).into_owned()).collect();
        let ids = text.iter().flat_map(|text| text.split(EVENT_ID).skip(1));
        ids.filter_map(|rest| rest.get(..36)?.parse().ok()).collect()
    }
}

/// A site with one camera, which `replay` does without.
pub(crate) fn one_camera() -> SiteFile {
    SiteFile::new(1883).camera("a", "rtsp://127.0.0.1/one", "")
}

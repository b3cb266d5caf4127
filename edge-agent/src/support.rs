//! What a person far away needs to help: the redacted configuration, what `doctor` found, versions, how the running service
//! is, the last log lines, names and sizes of what is stored. No secret, no picture, bounded in size.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::config::Written;
use crate::doctor::Check;
use crate::publish::wire::UtcMillis;
use crate::secret::{redact, redact_json};
use crate::tar::Archive;

/// The most that one file of a bundle holds; of longer ones the end is kept.
const MOST: usize = 1 << 20;
/// Log lines asked of the journal.
const LOG_LINES: &str = "5000";
/// Stored files that are named.
const MOST_FILES: usize = 2000;
/// The running service answers on loopback, or not at all.
const ANSWER: Duration = Duration::from_secs(3);

/// What is put together.
#[derive(Debug)]
pub struct Support<'a> {
    /// The site file; read as text, so that a wrong one is shown too.
    pub site: &'a Path,
    /// What `doctor` found.
    pub checks: &'a [Check],
    /// The status page, where the site is valid and has one.
    pub page: Option<SocketAddr>,
    /// The folder of what is stored, where the site is valid.
    pub storage: Option<&'a Path>,
    /// The service's systemd unit.
    pub unit: &'a str,
}

impl Support<'_> {
    /// Writes the bundle as a tar file that only its owner may read; names and sizes of what is in it. Blocks on the disk,
    /// the service and the journal, for seconds at most.
    ///
    /// # Errors
    /// The file is there already, or cannot be written.
    pub fn write(&self, out: &Path) -> io::Result<Vec<(&'static str, usize)>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
        let now = u64::try_from(UtcMillis::now().as_unix_millis() / 1000).unwrap_or(0);
        let mut archive = Archive::new(io::BufWriter::new(file), now);
        let mut told = Vec::new();
        let parts: [(&'static str, String); 7] = [
            ("site.toml", self.configuration()),
            ("doctor.json", serde_json::to_string_pretty(self.checks).unwrap_or_default()),
            ("versions.txt", versions()),
            ("status.json", self.ask("/api/v1/status").map_or_else(absent, |body| redact_json(&body))),
            ("metrics.txt", self.ask("/metrics").map_or_else(absent, |body| redact(&body))),
            ("log.txt", redact(&journal(self.unit).unwrap_or_else(absent))),
            ("stored.txt", self.storage.map(stored).unwrap_or_default()),
        ];
        for (name, text) in parts {
            let content = last(text.as_bytes());
            archive.add(&format!("support/{name}"), content)?;
            told.push((name, content.len()));
        }
        archive.finish()?;
        Ok(told)
    }

    /// The site file without its comments, in which anything may stand, and without what looks like a secret.
    fn configuration(&self) -> String {
        let text = match fs::metadata(self.site).and_then(|found| {
            if found.len() > MOST as u64 {
                Err(io::ErrorKind::FileTooLarge.into())
            } else {
                fs::read_to_string(self.site)
            }
        }) {
            Ok(text) => text,
            Err(error) => return format!("# {} cannot be read: {error}\n", self.site.display()),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => Written::of_table(table).text().to_owned(),
            Err(error) => format!("# not TOML, so left out: {}\n", redact(error.message())),
        }
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let page = self.page.ok_or(io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&page, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {page}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(2 * MOST as u64).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).ok_or(io::ErrorKind::InvalidData.into())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_or_else wants")]
fn absent(error: io::Error) -> String {
    format!("not to be had: {error}\n")
}

/// The last [`MOST`] bytes, from a line's beginning.
fn last(content: &[u8]) -> &[u8] {
    let Some(cut) = content.len().checked_sub(MOST) else { return content };
    let rest = &content[cut..];
    rest.iter().position(|byte| *byte == b'\n').map_or(rest, |at| &rest[at + 1..])
}

fn versions() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let system = read("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    format!(
        "edge-agent {} ({})\nwritten {}\nsystem {system}\nkernel {}\nuptime_s {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        UtcMillis::now(),
        read("/proc/version").trim(),
        read("/proc/uptime").split('.').next().unwrap_or_default(),
    )
}

/// The service's last lines, where there is a journal that this user may read.
fn journal(unit: &str) -> io::Result<String> {
    let mut child = Command::new("journalctl")
        .args(["--no-pager", "--output=short-iso", "--lines", LOG_LINES, "--unit", unit])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut text = Vec::new();
    let read = child.stdout.take().map(|out| out.take(16 * MOST as u64).read_to_end(&mut text));
    // What is left unread is not waited for.
    let _ = child.kill();
    child.wait()?;
    read.transpose()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Names and sizes below a folder.
fn stored(folder: &Path) -> String {
    let (mut folders, mut lines) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => lines.push(format!("{:>12} {}", found.len(), entry.path().display())),
                Err(error) => lines.push(format!("{:>12} {}", error.kind(), entry.path().display())),
            }
            if lines.len() >= MOST_FILES {
                lines.push("and more".to_owned());
                return lines.join("\n");
            }
        }
    }
    lines.sort();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_shows_references_and_no_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let site = folder.path().join("site.toml");
        let text = r#"
# the password is c4n4ry
[mqtt]
url = "mqtts://u:c4n4ry@broker.example:8883"
key = { credential = "mqtt-key" }
password = "c4n4ry"
[[camera]]
detect = { url = "http://192.0.2.1/v.cgi?user=a&pwd=c4n4ry", credential = "cam" }
"#;
        fs::write(&site, text).expect("writes");
        let support = Support { site: &site, checks: &[], page: None, storage: None, unit: "none" };
        let shown = support.configuration();
        assert!(!shown.contains("c4n4ry"), "{shown}");
        for kept in ["mqtts://***@broker.example:8883", "\"mqtt-key\"", "credential = \"cam\"", "192.0.2.1"] {
            assert!(shown.contains(kept), "{kept}\n{shown}");
        }
        fs::write(&site, "password = \"c4n4ry").expect("writes");
        assert!(!support.configuration().contains("c4n4ry"));
    }

    #[test]
    fn what_is_too_long_keeps_its_end_in_whole_lines() {
        let line = "0123456789\n";
        let text = line.repeat(MOST / line.len() + 100);
        let kept = last(text.as_bytes());
        assert!(kept.len() <= MOST && kept.starts_with(b"0123456789\n") && kept.ends_with(b"9\n"));
        assert_eq!(last(b"short"), b"short");
    }
}

//! The program under test, in a process of its own that dies with this one; its word on what it committed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use uuid::Uuid;

use crate::agent::edge_agent;
use crate::book::SharedBook;
use crate::common::process::signal;

/// How it may take to stop when asked: its own grace time and what a busy machine adds.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// What it tells.
const LOG: &str = "warn,edge_agent::outbox::ledger=debug";

/// A program that runs.
pub(crate) struct Program {
    child: Child,
    listening: Option<JoinHandle<()>>,
    storage: PathBuf,
    book: SharedBook,
}

impl Program {
    /// Starts it; `clock` is the file that faketime reads its clock from.
    pub(crate) fn start(site: &Path, storage: &Path, log: &Path, clock: Option<&Path>, book: &SharedBook) -> Self {
        let mut command = edge_agent([OsStr::new("--log-json"), OsStr::new("run"), site.as_os_str()]);
        command.env("NGATU_LOG", LOG).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(clock) = clock {
            command.env("LD_PRELOAD", crate::clock::LIBRARY).env("FAKETIME_TIMESTAMP_FILE", clock);
            // Only the calendar steps: the clock that durations are measured with never does on a real machine either.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
            command.env("FAKETIME_CACHE_DURATION", "1");
        }
        // SAFETY: prctl(2) is async-signal-safe and touches only the child; nothing is allocated after the fork.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let mut child = command.spawn().expect("the program starts");
        let pipe = BufReader::new(child.stderr.take().expect("piped"));
        let mut kept = std::fs::File::options().create(true).append(true).open(log).expect("a log");
        let listening = std::thread::spawn({
            let book = book.clone();
            move || {
                for line in pipe.split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    if line.contains("outbox::ledger") {
                        book.write(|book| book.read_line(&line));
                    } else {
                        let _ = writeln!(kept, "{line}");
                    }
                }
            }
        });
        Self { child, listening: Some(listening), storage: storage.to_owned(), book: book.clone() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// `kill -9`; then its last commits are taken from its database.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        self.is_over();
    }

    /// Asks it to stop, and waits; whether it stopped in order.
    pub(crate) fn stop(mut self) -> bool {
        signal(self.pid(), "TERM");
        let deadline = Instant::now() + STOPS_WITHIN;
        let mut status = None;
        while status.is_none() && Instant::now() < deadline {
            status = self.has_ended();
            std::thread::park_timeout(Duration::from_millis(20));
        }
        // As systemd counts it (systemd.service(5), clean exit): it may be asked before it listens, with nothing begun.
        let in_order = status.is_some_and(|status| status.success() || status.signal() == Some(libc::SIGTERM));
        let _ = self.child.kill();
        self.is_over();
        in_order
    }

    fn is_over(&mut self) {
        let _ = self.child.wait();
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
            if let Err(reason) = read_database(&self.storage, &self.book) {
                self.book.write(|book| book.wrongs.push(format!("the database of a killed program: {reason}")));
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.is_over();
    }
}

/// A copy of the database: opening the files themselves would recover them in the program's place.
pub(crate) fn copied_database(storage: &Path) -> Result<(tempfile::TempDir, Connection), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    for name in ["outbox.sqlite", "outbox.sqlite-wal"] {
        match std::fs::copy(storage.join(name), folder.path().join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
    }
    let db = Connection::open(folder.path().join("outbox.sqlite")).map_err(|error| error.to_string())?;
    Ok((folder, db))
}

/// Commits that the program could not tell of any more.
fn read_database(storage: &Path, book: &SharedBook) -> Result<(), String> {
    if !storage.join("outbox.sqlite").exists() {
        return Ok(());
    }
    let (_folder, db) = copied_database(storage)?;
    let text = |error: rusqlite::Error| error.to_string();
    let made: i64 =
        db.query_row("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0)).map_err(text)?;
    if made == 0 {
        return Ok(());
    }
    let (outbox, last): (String, i64) = db
        .query_row("SELECT outbox_id, last_sequence FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(text)?;
    let outbox: Uuid = outbox.parse().map_err(|_| "an outbox without a name".to_owned())?;
    let told = book.lock().last(outbox);
    let mut rows = db
        .prepare("SELECT sequence, body FROM entry JOIN payload USING (sequence) WHERE sequence > ?1 ORDER BY sequence")
        .map_err(text)?;
    let rows =
        rows.query_map([told as i64], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).map_err(text)?;
    let rows: Vec<(i64, Vec<u8>)> = rows.collect::<Result<_, _>>().map_err(text)?;
    let begins = |body: &[u8]| -> Option<Uuid> {
        let event: serde_json::Value = serde_json::from_slice(body).ok()?;
        let data = event.get("data").filter(|data| data["phase"] == "new")?;
        data["incident_id"].as_str()?.parse().ok()
    };
    let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number as u64).collect();
    let begun: Vec<(u64, Uuid)> =
        rows.iter().filter_map(|(number, body)| Some((*number as u64, begins(body)?))).collect();
    if !numbers.iter().copied().eq(told + 1..=last as u64) {
        return Err(format!("{outbox}: {told} were told, {last} are given, in between stand {numbers:?}"));
    }
    let open = open_in(&db)?;
    book.write(|book| {
        book.commit(outbox, numbers, begun);
        book.owe(outbox, open);
    });
    Ok(())
}

/// The incidents that the program takes for open.
pub(crate) fn open_incidents(storage: &Path) -> Result<BTreeSet<Uuid>, String> {
    let (_folder, db) = copied_database(storage)?;
    open_in(&db)
}

fn open_in(db: &Connection) -> Result<BTreeSet<Uuid>, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let mut rows = db.prepare("SELECT incident FROM open_incident").map_err(text)?;
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).map_err(text)?;
    rows.map(|row| row.map_err(text)?.parse().map_err(|_| "an incident without a name".to_owned())).collect()
}

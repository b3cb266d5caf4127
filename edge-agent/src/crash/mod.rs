//! What brought the program down, and whose stream it was.
//!
//! Decoders are foreign code that works on what cameras send. A stream that crashes one takes the whole process with it,
//! and would do so after every restart: eight cameras blind because of one. So threads that work for one camera bear
//! [its name](thread::name_of); when a fatal signal strikes one, [a handler](signal) leaves that name in a file, and the next
//! start reads it. A camera whose threads crashed the program [three times within ten minutes](parking) starts parked:
//! it is not connected to for a while, the others are.
//!
//! # Failure
//! A crash elsewhere is told in the log and blames no camera. A crash for want of descriptors blames none either: it strikes whoever asks next. A folder that cannot
//! be written costs the memory of crashes, not the service.

mod parking;
mod signal;
mod stack;
mod thread;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use analytics::CameraId;
use serde::{Deserialize, Serialize};

pub use parking::Parked;
pub(crate) use thread::{NamedThread, name_this_thread};

use crate::durable::replace;
use parking::Parking;

/// Where the handler writes; emptied at every start.
const MARK: &str = "crash";
/// What is remembered of earlier crashes.
const MEMORY: &str = "crashes.json";

/// Who crashed the program so far.
#[derive(Debug, Default)]
pub struct CrashRecord {
    memory: Memory,
    /// Parked because of the last run's end.
    newly: Vec<CameraId>,
    now: Option<SystemTime>,
}

/// By camera.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Memory(BTreeMap<String, Parking>);

impl CrashRecord {
    /// Reads in the state folder how the last run ended, and has fatal signals marked there from now on.
    ///
    /// The process has one such place: the last call counts.
    pub fn open<'a>(folder: &Path, cameras: impl IntoIterator<Item = &'a CameraId>, now: SystemTime) -> Self {
        let record = Self::read(folder, cameras, now);
        match mark_file(folder) {
            Ok(mark) => signal::mark_in(mark),
            Err(error) => tracing::warn!(%error, "a crash would not be attributed to a camera"),
        }
        record
    }

    fn read<'a>(folder: &Path, cameras: impl IntoIterator<Item = &'a CameraId>, now: SystemTime) -> Self {
        let mut record = Self { memory: Memory::read(&folder.join(MEMORY)), newly: Vec::new(), now: Some(now) };
        let Some((thread, at)) = last_crash(&folder.join(MARK)) else { return record };
        let Some(camera) = cameras.into_iter().find(|camera| thread::name_of(camera.as_str()) == thread) else {
            tracing::error!(thread, "the program crashed when it last ran");
            return record;
        };
        let parking = record.memory.0.entry(camera.to_string()).or_default();
        tracing::error!(%camera, "the program crashed when it last ran, in a thread that worked for this camera");
        if parking.crashed(at) {
            record.newly.push(camera.clone());
        }
        if let Err(error) =
            replace(&folder.join(MEMORY), &serde_json::to_vec(&record.memory).expect("names and numbers"))
        {
            tracing::warn!(%error, "who crashed the program is not kept");
        }
        record
    }

    /// How long `camera` is not to be connected to, and why.
    #[must_use]
    pub fn parked(&self, camera: &CameraId) -> Option<Parked> {
        self.memory.0.get(camera.as_str())?.parked(self.now?)
    }

    /// Cameras that are parked because of the last run's end: to be announced.
    #[must_use]
    pub fn newly_parked(&self) -> &[CameraId] {
        &self.newly
    }
}

impl Memory {
    fn read(path: &Path) -> Self {
        let read = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => Err(error),
        };
        read.unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "earlier crashes are forgotten");
            Self::default()
        })
    }
}

/// An empty file for the next crash.
fn mark_file(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    OpenOptions::new().write(true).create(true).truncate(true).open(folder.join(MARK))
}

/// The thread that was struck when the program last ran, and when.
fn last_crash(path: &Path) -> Option<(String, SystemTime)> {
    let mut file = File::open(path).ok()?;
    let mut name = Vec::new();
    file.by_ref().take(thread::NAME_BYTES as u64).read_to_end(&mut name).ok()?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let name = String::from_utf8_lossy(&name[..end]).into_owned();
    let at = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
    (!name.is_empty()).then_some((name, at))
}

/// Milliseconds since 1970; what a clock says that was never set counts too.
fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(id: &str) -> CameraId {
        CameraId::new(id).expect("valid")
    }

    /// What the handler leaves of a thread of `name`.
    fn crash_in(folder: &Path, name: &str) {
        fs::write(folder.join(MARK), format!("{name:\0<16}")).expect("writes");
    }

    #[test]
    fn the_third_crash_parks_the_camera_whose_thread_it_was_and_no_other() {
        let (folder, now) = (tempfile::tempdir().expect("a folder"), SystemTime::now());
        let cameras = [camera("nam"), camera("bac")];
        for crash in 1..=3 {
            crash_in(folder.path(), "@nam");
            let record = CrashRecord::read(folder.path(), &cameras, now);
            assert_eq!(record.newly_parked(), if crash < 3 { &[][..] } else { &cameras[..1] });
            assert_eq!(record.parked(&cameras[0]).is_some(), crash == 3);
            assert_eq!(record.parked(&cameras[1]), None);
        }
        fs::write(folder.path().join(MARK), "").expect("writes");
        let again = CrashRecord::read(folder.path(), &cameras, now);
        assert!(again.parked(&cameras[0]).is_some(), "still, after a start that did not follow a crash");
        assert!(again.newly_parked().is_empty(), "told once");
        let later = CrashRecord::read(folder.path(), &cameras, now + Duration::from_secs(3600));
        assert_eq!(later.parked(&cameras[0]), None);
    }

    #[test]
    fn a_crash_elsewhere_and_a_damaged_memory_blame_nobody() {
        let (folder, now, cameras) = (tempfile::tempdir().expect("a folder"), SystemTime::now(), [camera("nam")]);
        for _ in 0..4 {
            crash_in(folder.path(), "infer-0");
            assert_eq!(CrashRecord::read(folder.path(), &cameras, now).parked(&cameras[0]), None);
        }
        fs::write(folder.path().join(MEMORY), "{").expect("writes");
        crash_in(folder.path(), "@nam");
        assert_eq!(CrashRecord::read(folder.path(), &cameras, now).parked(&cameras[0]), None);
    }
}

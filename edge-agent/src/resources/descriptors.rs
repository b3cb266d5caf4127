//! File descriptors: how many the process has open, how many it may have, and some that are kept back.
//!
//! GLib ends the process when it is refused a descriptor (`g_wakeup_new`), in whichever camera's thread that happens to be. So
//! that it is not refused: new connections are not begun without [room](has_room), and a few descriptors are held open for
//! nothing ([`RESERVE`]), which are closed when there are no others left. Connections that stand go on with those; none is
//! opened until there is room again.
//!
//! # Ownership
//! The process has one table of descriptors, so there is one of this.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held open for nothing. Raising it gives more connections that stand something to wait on when all else is gone; it costs as
/// many descriptors.
const RESERVE: usize = 24;
/// With fewer left, the reserve is closed.
const LOW: u64 = 8;
/// What a connection to a camera takes at most, its threads' waits included; measured: 7 over TCP, 11 over UDP.
pub const OF_CONNECTION: u64 = 16;
/// Without cameras: libraries, databases, broker, and the status page's connections.
const OF_PROGRAM: u64 = 96;
/// Two streams a camera, and as much again while a connection is replaced by another.
const OF_CAMERA: u64 = 2 * OF_CONNECTION;
/// No more are asked of the system: what walks through all descriptors takes its time with a million.
const MOST: u64 = 65_536;

/// How many descriptors there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Open ones, without those held for nothing.
    pub open: u64,
    /// The most that may be open (`RLIMIT_NOFILE`).
    pub limit: u64,
    /// Whether they have run out: no new connection is begun.
    pub is_short: bool,
}

/// How many a box with so many cameras needs.
#[must_use]
pub const fn needed(cameras: usize) -> u64 {
    OF_PROGRAM + OF_CAMERA * cameras as u64
}

/// At the start: asks for as many as the system lets this process have (the soft limit becomes the hard one), and holds the
/// reserve, which so has the lowest numbers and is below whatever limit is set later. The limit then.
///
/// # Errors
/// The system's.
pub fn prepare() -> std::io::Result<u64> {
    drop(table());
    let mut limit = read_limit()?;
    let most = limit.rlim_max.min(MOST);
    if limit.rlim_cur < most {
        limit.rlim_cur = most;
        // SAFETY: a live limit; the call keeps no pointer.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}

/// The most that may be open.
pub(crate) fn limit() -> u64 {
    read_limit().map_or(u64::MAX, |limit| limit.rlim_cur)
}

fn read_limit() -> std::io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a live limit, which is written.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Looks; closes the reserve when there is nothing else left, and holds it again when there is.
pub fn look() -> Descriptors {
    table().look().0
}

/// Whether `more` can be opened with some left over.
pub fn has_room(more: u64) -> bool {
    let (descriptors, free) = table().look();
    !descriptors.is_short && free >= more + LOW
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

fn table() -> impl std::ops::DerefMut<Target = Table> {
    struct Locked(MutexGuard<'static, Option<Table>>);
    impl std::ops::Deref for Locked {
        type Target = Table;
        fn deref(&self) -> &Table {
            self.0.as_ref().expect("set below")
        }
    }
    impl std::ops::DerefMut for Locked {
        fn deref_mut(&mut self) -> &mut Table {
            self.0.as_mut().expect("set below")
        }
    }
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.get_or_insert_with(Table::new);
    Locked(table)
}

struct Table {
    /// `None`: proc(5) is not there, nothing is known.
    listing: Option<Listing>,
    reserve: Vec<OwnedFd>,
}

impl Table {
    fn new() -> Self {
        let mut table = Self { listing: Listing::open(), reserve: Vec::new() };
        table.hold();
        table
    }

    /// And how many are free, the reserve not among them.
    fn look(&mut self) -> (Descriptors, u64) {
        let limit = limit();
        let Some((open, usable)) = self.listing.as_mut().map(|listing| listing.count(limit)) else {
            return (Descriptors { open: 0, limit, is_short: false }, u64::MAX);
        };
        let mut free = limit.saturating_sub(usable);
        let held = self.reserve.len() as u64;
        if held > 0 && free < LOW {
            self.reserve.clear();
            free += held;
        } else if held == 0 && free >= RESERVE as u64 + 2 * LOW {
            self.hold();
            free -= self.reserve.len() as u64;
        }
        (Descriptors { open: open - held, limit, is_short: self.reserve.is_empty() }, free)
    }

    /// All of the reserve or nothing.
    fn hold(&mut self) {
        let held = std::iter::repeat_with(|| File::open("/dev/null").map(OwnedFd::from)).take(RESERVE);
        self.reserve = held.collect::<Result<_, _>>().unwrap_or_default();
    }
}

/// The directory of this process's descriptors, opened once: to look when none is left takes one.
struct Listing(*mut libc::DIR);

// SAFETY: a directory stream may be used by any thread, one at a time; it is behind a lock.
unsafe impl Send for Listing {}

impl Listing {
    fn open() -> Option<Self> {
        // SAFETY: a C string.
        let listing = unsafe { libc::opendir(c"/proc/self/fd".as_ptr()) };
        (!listing.is_null()).then_some(Self(listing))
    }

    /// How many are open, and how many of them have a number below `limit`: one that was lowered meanwhile closes nothing.
    fn count(&mut self, limit: u64) -> (u64, u64) {
        // SAFETY: it is open as long as this lives.
        unsafe { libc::rewinddir(self.0) };
        let (mut open, mut usable) = (0, 0);
        loop {
            // SAFETY: as above; an entry is valid until the next call.
            let entry = unsafe { libc::readdir64(self.0) };
            if entry.is_null() {
                return (open, usable);
            }
            // SAFETY: readdir(3) ends names with a zero.
            let name = unsafe { std::ffi::CStr::from_ptr((&raw const (*entry).d_name).cast()) };
            let Some(number) = name.to_str().ok().and_then(|name| name.parse::<u64>().ok()) else { continue };
            open += 1;
            usable += u64::from(number < limit);
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // SAFETY: opened by opendir, closed once.
        unsafe { libc::closedir(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Limits are the whole process's, so the test has one of its own.
    const CHILD: &str = "NGATU_TEST_DESCRIPTORS_CHILD";

    #[test]
    fn child_that_runs_out() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let limit = libc::rlimit { rlim_cur: 128, rlim_max: 256 };
        // SAFETY: a live limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
        assert_eq!(prepare().expect("Linux"), 256);
        let start = look();
        assert!(has_room(OF_CONNECTION) && !start.is_short && start.limit == 256, "{start:?}");

        let mut eaten: Vec<File> = std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
        assert!(File::open("/dev/null").is_err(), "none is left");
        let gone = look();
        assert!(gone.is_short && gone.open > start.open + 100, "{gone:?}");
        assert!(!has_room(0), "nothing new is begun");
        let kept: Vec<File> = std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
        assert_eq!(kept.len(), RESERVE, "what stands has something to wait on");
        drop(kept);
        assert!(look().is_short, "a few are not room");

        eaten.truncate(50);
        let again = look();
        assert_eq!((again.is_short, again.open), (false, start.open + 50));
        assert!(has_room(OF_CONNECTION));
        let taken: Vec<File> = std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
        assert!(!taken.is_empty() && File::open("/dev/null").is_err());
        assert!(look().is_short, "and again");
    }

    #[test]
    fn what_runs_out_leaves_the_reserve_and_room_takes_it_back() {
        let child = std::process::Command::new(std::env::current_exe().expect("this test binary"))
            .args(["resources::descriptors::tests::child_that_runs_out", "--exact", "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .expect("starts");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }

    #[test]
    fn a_cabinet_fits_the_usual_limit() {
        assert!(needed(16) < 1024 && needed(0) < needed(1));
    }
}

//! A stack for the handler of fatal signals, for threads that foreign code made: a thread whose own stack has overflowed has no
//! room left for it, and the kernel would end the program without a word of whose thread it was (sigaltstack(2)).
//!
//! Threads of Rust's standard library have one.

use std::cell::RefCell;

/// The handler needs a few hundred bytes; the kernel puts the registers there, which wide vectors make large.
const BYTES: usize = 64 * 1024;

thread_local! {
    static OWN: RefCell<Option<SignalStack>> = const { RefCell::new(None) };
}

/// The calling thread has a stack for signals from now on, until it ends. Where none is to be had it goes without.
pub(super) fn ensure() {
    OWN.with_borrow_mut(|own| {
        if own.is_none() && !is_there() {
            *own = SignalStack::install();
        }
    });
}

fn is_there() -> bool {
    // SAFETY: stack_t is plain data, for which all-zero is a value; it is written.
    unsafe {
        let mut now: libc::stack_t = std::mem::zeroed();
        libc::sigaltstack(std::ptr::null(), &raw mut now) == 0 && now.ss_flags & libc::SS_DISABLE == 0
    }
}

/// Memory of its own, taken back when the thread ends.
struct SignalStack(*mut libc::c_void);

impl SignalStack {
    fn install() -> Option<Self> {
        let (protection, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh mapping wherever the kernel likes.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), BYTES, protection, kind, -1, 0) };
        if memory == libc::MAP_FAILED {
            return None;
        }
        let stack = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: BYTES };
        // SAFETY: the memory lives until this is dropped, which takes the stack away first.
        let refused = unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) } != 0;
        let own = Self(memory);
        (!refused).then_some(own)
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: of the thread that installed it, which is not in a handler now; nobody else has the mapping.
        unsafe {
            libc::sigaltstack(&raw const none, std::ptr::null_mut());
            libc::munmap(self.0, BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Output};
    use std::time::SystemTime;

    use analytics::CameraId;

    use super::*;
    use crate::crash::{CrashRecord, name_this_thread, thread};

    const CHILD: &str = "NGATU_TEST_CRASH_CHILD";

    /// Deep enough for any stack, and not to be made a loop of.
    #[expect(unconditional_recursion, reason = "the fault that is tested")]
    fn recurse(depth: u64) -> u64 {
        let filler = std::hint::black_box([depth; 64]);
        recurse(depth + 1) + filler[(depth % 64) as usize]
    }

    /// As GStreamer's threads are made: not by Rust.
    extern "C" fn camera_thread(_: *mut libc::c_void) -> *mut libc::c_void {
        assert!(!is_there(), "or the test shows nothing");
        name_this_thread("nam");
        if std::env::var(CHILD).is_ok_and(|what| what.starts_with("overflow")) {
            std::hint::black_box(recurse(0));
        }
        std::ptr::null_mut()
    }

    fn in_foreign_thread() {
        // SAFETY: the function has the type that is asked for, and nothing is shared with it.
        unsafe {
            let mut thread: libc::pthread_t = std::mem::zeroed();
            let body = camera_thread;
            assert_eq!(libc::pthread_create(&raw mut thread, std::ptr::null(), body, std::ptr::null_mut()), 0);
            libc::pthread_join(thread, std::ptr::null_mut());
        }
    }

    /// Not a test of its own: the process that the next ones let crash.
    #[test]
    fn child_that_crashes() {
        let Ok(what) = std::env::var(CHILD) else { return };
        let (what, folder) = what.split_once(' ').expect("what and where");
        crate::hardening::forbid_core_dumps().expect("Linux");
        CrashRecord::open(std::path::Path::new(folder), [], SystemTime::now());
        match what {
            "overflow" => in_foreign_thread(),
            "starve" => {
                name_this_thread("nam");
                let _eaten: Vec<_> =
                    std::iter::repeat_with(|| std::fs::File::open("/dev/null")).map_while(Result::ok).collect();
                std::process::abort();
            }
            other => panic!("{other}"),
        }
    }

    fn crash(what: &str, folder: &std::path::Path) -> Output {
        let mut child = Command::new(std::env::current_exe().expect("this test binary"));
        child.args(["crash::stack::tests::child_that_crashes", "--exact", "--test-threads=1"]);
        child.env(CHILD, format!("{what} {}", folder.display())).output().expect("starts")
    }

    #[test]
    fn a_stack_that_overflows_in_a_cameras_thread_is_that_cameras_crash() {
        let folder = tempfile::tempdir().expect("a folder");
        let nam = CameraId::new("nam").expect("valid");
        for count in 1..=3 {
            let ended = crash("overflow", folder.path());
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{said}");
            assert!(said.contains(&format!("fatal signal in thread {}", thread::name_of("nam"))), "{said}");
            let record = CrashRecord::read(folder.path(), [&nam], SystemTime::now());
            assert_eq!(record.parked(&nam).is_some(), count == 3, "the third one parks it");
        }
    }

    #[test]
    fn a_process_that_ends_for_want_of_descriptors_blames_no_camera() {
        let folder = tempfile::tempdir().expect("a folder");
        let nam = CameraId::new("nam").expect("valid");
        for _ in 0..3 {
            let ended = crash("starve", folder.path());
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{said}");
            assert!(said.contains("fatal signal in thread no descriptors"), "{said}");
            assert!(CrashRecord::read(folder.path(), [&nam], SystemTime::now()).parked(&nam).is_none());
        }
    }

    #[test]
    fn a_thread_takes_its_stack_back_when_it_ends() {
        // A thousand threads would leave 64 MB of mappings.
        let mappings = || std::fs::read_to_string("/proc/self/maps").expect("Linux").lines().count();
        in_foreign_thread();
        let before = mappings();
        (0..1000).for_each(|_| in_foreign_thread());
        assert!(mappings() < before + 500, "{before} {}", mappings());
    }
}

//! The handler of fatal signals: it writes the name of the thread that was struck, and lets the signal do its work.
//!
//! Only calls that signal-safety(7) allows, and prctl(2) and fcntl(2), which are plain system calls.

use std::fs::File;
use std::os::fd::IntoRawFd as _;
use std::sync::atomic::{AtomicI32, Ordering};

use super::thread::NAME_BYTES;

/// Before the thread's name.
const SAID: &[u8] = b"edge-agent: fatal signal in thread ";

/// What faults and failed assertions of foreign code raise; GLib's end in SIGTRAP.
const FATAL: [libc::c_int; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP];

/// A handler has no argument of ours: the process's one mark. −1: none.
static MARK: AtomicI32 = AtomicI32::new(-1);

/// From now on a fatal signal leaves the name of its thread in `mark`.
pub(super) fn mark_in(mark: File) {
    let before = MARK.swap(mark.into_raw_fd(), Ordering::AcqRel);
    if before >= 0 {
        // SAFETY: it came out of `into_raw_fd` above, and nobody else has it.
        unsafe { libc::close(before) };
        return;
    }
    let handler: extern "C" fn(libc::c_int) = on_fatal;
    for signal in FATAL {
        // SAFETY: sigaction(2) with a zeroed struct of its own; the handler keeps to signal-safety(7). SA_RESETHAND: what
        // happens within the handler ends the program as it would without it.
        let refused = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESETHAND | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0
        };
        if refused {
            tracing::warn!(signal, "a crash by this signal would not be attributed");
        }
    }
}

extern "C" fn on_fatal(signal: libc::c_int) {
    let mut name = [0_u8; NAME_BYTES];
    // SAFETY: prctl(2) writes at most 16 bytes; write(2) reads what is given; raise(3) with the default action ends the
    // program once the handler returns.
    unsafe {
        libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr());
        // GLib ends the program when it is refused a descriptor, in whatever thread: no stream is to blame.
        let spare = libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, 0);
        if spare < 0 {
            name = *b"no descriptors\0\0";
        }
        let mark = MARK.load(Ordering::Acquire);
        if mark >= 0 {
            libc::write(mark, name.as_ptr().cast(), name.len());
        }
        // In one piece: other threads write lines of the log meanwhile.
        let (mut line, mut length) = ([0_u8; SAID.len() + NAME_BYTES + 1], 0);
        let text = SAID.iter().chain(name.iter().take_while(|byte| **byte != 0)).chain(b"\n");
        for (to, from) in line.iter_mut().zip(text) {
            *to = *from;
            length += 1;
        }
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), length);
        libc::raise(signal);
    }
}

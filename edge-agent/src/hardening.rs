//! What the process forbids itself, before it reads its first secret.

/// No core dump, and no other process of the same user that looks into this one's memory or environment: both would hold
/// secrets (prctl(2), `PR_SET_DUMPABLE`; setrlimit(2), `RLIMIT_CORE`). Children inherit the limit.
///
/// # Errors
/// The system's, which no Linux gives for these arguments.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a live limit; the call keeps no pointer.
    if unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: this option takes plain numbers.
    if unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

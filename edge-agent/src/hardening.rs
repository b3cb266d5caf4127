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

/// ONNX Runtime's builds for Linux tell their maker which models run on which machine, over HTTPS, from the moment that an
/// environment is made: `DisableTelemetryEvents` of its API comes too late, this variable does not.
pub const NO_TELEMETRY: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");

/// Sets [`NO_TELEMETRY`].
///
/// # Safety
/// No other thread may run yet: it could be reading the environment.
#[expect(clippy::disallowed_methods, reason = "nobody else reads the environment yet")]
pub unsafe fn forbid_telemetry() {
    let (name, value) = NO_TELEMETRY;
    // SAFETY: the caller's promise.
    unsafe { std::env::set_var(name, value) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_leaves_no_core_and_cannot_be_looked_into() {
        forbid_core_dumps().expect("Linux");
        let mut limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: a live limit.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) }, 0);
        assert_eq!((limit.rlim_cur, limit.rlim_max), (0, 0));
        // SAFETY: this option takes no argument.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE) }, 0);
    }
}

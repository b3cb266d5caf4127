//! A calendar clock that steps, by libfaketime (`apt-get install libfaketime`) loaded before the C library.

use std::path::Path;

/// Where Debian has it.
pub(crate) const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Whether it is installed.
pub(crate) fn is_here() -> bool {
    Path::new(LIBRARY).is_file()
}

/// The steps that a campaign takes.
pub(crate) const STEPS: [&str; 5] = ["+3600", "-3600", "+86400", "-86400", FROM_1970];

/// The clock of a box whose battery is empty: it starts at the epoch and goes on from there. A day later, so that this is
/// after the epoch in every time zone.
pub(crate) const FROM_1970: &str = "@1970-01-02 00:00:00";

/// Sets the clock: so many seconds from the true time, or a start.
pub(crate) fn set(file: &Path, to: &str) {
    std::fs::write(file, to).expect("writes the clock");
}

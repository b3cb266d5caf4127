//! How far this box's clock can be trusted: what the kernel knows from whoever disciplines it (adjtimex(2)).

use crate::publish::wire::TimeQuality;

/// Beyond this the kernel itself gives up on its clock.
const MAX_ERROR_US: i64 = 16_000_000;

/// Asks the kernel.
#[must_use]
pub fn time_quality() -> TimeQuality {
    // SAFETY: timex is plain data; all-zero is a valid "change nothing" request.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live timex; with modes = 0 the kernel only writes to it.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    let synced = state >= 0 && state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    let max_error_us = timex.maxerror;
    if !synced || max_error_us >= MAX_ERROR_US {
        return TimeQuality { synced: false, max_error_ms: None };
    }
    TimeQuality { synced: true, max_error_ms: u32::try_from(max_error_us.div_euclid(1000) + 1).ok() }
}

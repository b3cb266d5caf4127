//! Ending in order: the first SIGTERM or Ctrl-C starts the drain, a second ends the program at once. Ending at once
//! loses nothing that was committed: the outbox is on disk.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after a second signal: 128 + SIGINT, as shells count.
const ENDED_BY_SIGNAL: i32 = 130;

/// Listens for SIGTERM and SIGINT; the first cancels the token.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                tracing::info!("stopping; a second signal ends at once");
                cancelled.cancel();
            } else {
                tracing::warn!("ended at once; what was committed is delivered at the next start");
                end_at_once();
            }
        }
    });
    Ok(token)
}

#[expect(clippy::disallowed_methods, reason = "a second signal means: now")]
fn end_at_once() -> ! {
    std::process::exit(ENDED_BY_SIGNAL)
}

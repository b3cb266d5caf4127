//! How a camera is, as the supervisor sees it.

use analytics::WallTime;

use super::StreamInfo;

/// The state in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Has never given a frame, and has not had long to.
    Connecting,
    /// Frames come.
    Online,
    /// Frames stopped a moment ago.
    Degraded,
    /// No frames for long, or refused.
    Offline,
}

/// A snapshot, replaced whenever something in it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    /// The state.
    pub state: SourceState,
    /// When it was entered.
    pub since: WallTime,
    /// Why it is not online: [`SourceError::code`](super::SourceError::code) of the last failure.
    pub reason: Option<&'static str>,
    /// The same for people; redacted.
    pub detail: Option<String>,
    /// What is received; from the first connection on.
    pub stream: Option<StreamInfo>,
    /// Connections tried.
    pub attempts: u64,
    /// Times frames came back after they had stopped.
    pub reconnects: u64,
    /// Attempts ended because no frame came.
    pub stalls: u64,
    /// Attempts that panicked.
    pub panics: u64,
    /// Timestamps that were not believed.
    pub timestamp_jumps: u64,
}

impl SourceStatus {
    /// Before the first attempt.
    #[must_use]
    pub fn connecting(now: WallTime) -> Self {
        Self {
            state: SourceState::Connecting,
            since: now,
            reason: None,
            detail: None,
            stream: None,
            attempts: 0,
            reconnects: 0,
            stalls: 0,
            panics: 0,
            timestamp_jumps: 0,
        }
    }
}

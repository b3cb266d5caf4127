//! A clip of an incident: what the full-size stream's ring holds of it, put into a file as it came once its end is there.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use analytics::Severity;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::store::EvidenceStore;
use super::{EvidenceName, Failure};
use crate::digest::hex;
use crate::outbox::Outcome;
use crate::publish::wire::Shown;
use crate::record::{Cut, Mp4Error, Pin, RingLimits, Wanted, write_mp4};

/// So much of what led to a finding is in its clip at most: some are judged for minutes.
const LEAD: Duration = Duration::from_secs(5);

/// So late may an incident be noticed after its frame arrived, and still be found in the ring with all that is wanted.
const NOTICED: Duration = Duration::from_secs(3);

/// After a clip's end: the full-size stream may be behind the analysed one.
const LATER: Duration = Duration::from_secs(1);

/// For putting one together on a slow disk.
const LIMIT: Duration = Duration::from_secs(20);

/// Written at once.
const BUFFER: usize = 256 << 10;

/// Which incidents are filmed, and how much of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipParams {
    /// The least severity.
    pub from: Severity,
    /// Before the incident began.
    pub pre_roll: Duration,
    /// After the frame that it was judged by.
    pub post_roll: Duration,
}

impl ClipParams {
    /// What is wanted of an incident that was judged by a frame that arrived `at`, and had begun so long before.
    pub(super) fn wanted(&self, at: Instant, before: Duration) -> Wanted {
        let back = self.pre_roll + before.min(LEAD);
        Wanted { from: at.checked_sub(back).unwrap_or(at), at, until: at + self.post_roll }
    }
}

/// What a ring must hold for pictures, and for clips if there are any.
#[must_use]
pub fn ring_limits(clips: Option<&ClipParams>, max_bytes: usize) -> RingLimits {
    RingLimits { keep_for: NOTICED + clips.map_or(Duration::ZERO, |clips| LEAD + clips.pre_roll), max_bytes }
}

/// A clip to be made once its end is there.
#[derive(Debug)]
pub(super) struct ClipJob {
    pub(super) incident: Uuid,
    pub(super) name: EvidenceName,
    pub(super) pin: Pin,
    pub(super) wanted: Wanted,
    /// One of those that its camera may have waiting.
    #[expect(dead_code, reason = "held, given back when the job goes")]
    pub(super) turn: OwnedSemaphorePermit,
}

impl ClipJob {
    /// From when on it can be made.
    pub(super) fn due(&self) -> Instant {
        self.wanted.until + LATER
    }

    /// Makes it of what there is.
    pub(super) fn make(self, store: &EvidenceStore) -> Result<Outcome, Failure> {
        let cut = self.pin.ring().cut(self.wanted).ok_or(Failure::NoStream)?;
        drop(self.pin);
        let mut digest = Sha256::new();
        let mut bytes = 0;
        let written = store.write_with(self.incident, &self.name, |file, scratch| {
            let told = |part: &[u8]| {
                digest.update(part);
                bytes += part.len() as u64;
            };
            let mut file = BufWriter::with_capacity(BUFFER, Told { file, told });
            write_mp4(&cut, scratch, &mut file, LIMIT)?;
            Ok(file.flush()?)
        });
        written.map_err(|error: Mp4Error| {
            tracing::warn!(incident = %self.incident, %error, "a clip is not made");
            failure_of(&error)
        })?;
        Ok(Outcome::Ready { sha256: hex(&digest.finalize()), bytes, thumbnail: None, shown: Some(shown(&cut)) })
    }
}

fn shown(cut: &Cut) -> Shown {
    let at = |index: usize| cut.units[index].captured_at.into();
    Shown { is_record: true, from: at(0), to: at(cut.units.len() - 1) }
}

fn failure_of(error: &Mp4Error) -> Failure {
    match error {
        Mp4Error::Codec { .. } => Failure::Codec,
        Mp4Error::File(error) => Failure::of(error),
        Mp4Error::Element(_) | Mp4Error::Muxer { .. } | Mp4Error::Late => Failure::NotCut,
    }
}

/// A file whose every byte is told to somebody.
struct Told<'a, F> {
    file: &'a mut std::fs::File,
    told: F,
}

impl<F: FnMut(&[u8])> Write for Told<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        (self.told)(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

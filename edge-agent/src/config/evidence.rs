//! Which incidents are photographed and filmed, and what must be held of the full-size stream for it.

use std::time::Duration;

use analytics::Severity;

use super::raw::{RawCamera, RawEvidence};
use super::resolve::Resolver;
use super::value::DurationText;
use crate::evidence::{ClipParams, ring_limits};
use crate::record::RingLimits;

/// Longer ones are recordings, not clips, and would be held in memory.
const LONGEST_ROLL: Duration = Duration::from_secs(60);

/// What cameras that say nothing do.
#[derive(Clone, Copy)]
pub(super) struct EvidenceDefaults {
    snapshots: bool,
    snapshots_from: Severity,
    clips: bool,
    of_clips: ClipParams,
    ring_bytes: usize,
}

/// What a camera does.
pub(super) struct OfCamera {
    pub(super) snapshots_from: Option<Severity>,
    pub(super) clips: Option<ClipParams>,
    pub(super) ring: Option<RingLimits>,
}

impl Resolver<'_> {
    pub(super) fn evidence(&mut self, raw: Option<&RawEvidence>) -> EvidenceDefaults {
        let word = |of: fn(&RawEvidence) -> Option<&str>| raw.and_then(of);
        let snapshots_from =
            self.severity("snapshots_from", word(|raw| raw.snapshots_from.as_deref()), Severity::Warning);
        let clips_from = self.severity("clips_from", word(|raw| raw.clips_from.as_deref()), Severity::High);
        let pre_roll = self.roll("pre_roll", raw.and_then(|raw| raw.pre_roll), Duration::from_secs(5));
        let post_roll = self.roll("post_roll", raw.and_then(|raw| raw.post_roll), Duration::from_secs(10));
        let ring = raw.and_then(|raw| raw.ring).map_or(32 << 20, |size| size.0);
        if !(1 << 20..=1 << 30).contains(&ring) {
            self.error("evidence.ring", "is not between 1 MiB and 1 GiB", "write such as \"32 MiB\", the default");
        }
        EvidenceDefaults {
            snapshots: raw.and_then(|raw| raw.snapshots).unwrap_or(false),
            snapshots_from,
            clips: raw.and_then(|raw| raw.clips).unwrap_or(false),
            of_clips: ClipParams { from: clips_from, pre_roll, post_roll },
            ring_bytes: usize::try_from(ring).unwrap_or(usize::MAX),
        }
    }

    fn severity(&mut self, key: &str, word: Option<&str>, default: Severity) -> Severity {
        let from = word.map_or(Some(default), Severity::from_label);
        if let (None, Some(word)) = (from, word) {
            let known: Vec<&str> = Severity::ALL.into_iter().map(Severity::label).collect();
            self.unknown(&format!("evidence.{key}"), word, "severity", &known);
        }
        from.unwrap_or(default)
    }

    fn roll(&mut self, key: &str, text: Option<DurationText>, default: Duration) -> Duration {
        let roll = text.map_or(default, |text| text.0);
        if roll > LONGEST_ROLL {
            self.error(&format!("evidence.{key}"), "is longer than a minute", "write up to \"60s\"");
        }
        roll
    }

    pub(super) fn camera_evidence(&mut self, index: usize, raw: &RawCamera, defaults: EvidenceDefaults) -> OfCamera {
        let has_record = raw.record.is_some();
        let snapshots_from = raw.snapshots.unwrap_or(defaults.snapshots).then_some(defaults.snapshots_from);
        let asks = raw.clips.unwrap_or(defaults.clips);
        if raw.clips == Some(true) && !has_record {
            let cure = "add record = { url = \"rtsp://…\" }: clips are cut from it";
            self.error(&format!("camera[{index}].clips"), "is asked of a camera without a record stream", cure);
        } else if asks && !has_record {
            self.notices.push(format!("camera[{index}] keeps no clips: it has no record stream"));
        }
        let clips = (asks && has_record).then_some(defaults.of_clips);
        for (is_on, what) in [(snapshots_from.is_some(), "photographs incidents"), (clips.is_some(), "keeps clips")] {
            if is_on {
                let blurs = "this version blurs neither faces nor number plates";
                self.notices.push(format!("camera[{index}] {what}: {blurs}"));
            }
        }
        let is_held = has_record && (snapshots_from.is_some() || clips.is_some());
        let ring = is_held.then(|| ring_limits(clips.as_ref(), defaults.ring_bytes));
        OfCamera { snapshots_from, clips, ring }
    }
}

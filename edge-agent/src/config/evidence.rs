//! Which incidents are photographed and filmed, and what must be held of the full-size stream for it.

use std::time::Duration;

use analytics::Severity;

use super::raw::{RawCamera, RawEvidence};
use super::resolve::Resolver;
use super::value::DurationText;
use crate::evidence::{ClipParams, ring_limits};
use crate::privacy::Privacy;
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
    privacy: Privacy,
    ring_bytes: usize,
}

/// What a camera does.
pub(super) struct OfCamera {
    pub(super) snapshots_from: Option<Severity>,
    pub(super) clips: Option<ClipParams>,
    pub(super) privacy: Privacy,
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
        let privacy = self.privacy(word(|raw| raw.privacy.as_deref()));
        let ring = raw.and_then(|raw| raw.ring).map_or(32 << 20, |size| size.0);
        if !(1 << 20..=1 << 30).contains(&ring) {
            self.error("evidence.ring", "is not between 1 MiB and 1 GiB", "write such as \"32 MiB\", the default");
        }
        EvidenceDefaults {
            snapshots: raw.and_then(|raw| raw.snapshots).unwrap_or(true),
            snapshots_from,
            clips: raw.and_then(|raw| raw.clips).unwrap_or(false),
            of_clips: ClipParams { from: clips_from, pre_roll, post_roll },
            privacy,
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

    fn privacy(&mut self, word: Option<&str>) -> Privacy {
        let privacy = word.map_or(Some(Privacy::default()), Privacy::from_label);
        if let (None, Some(word)) = (privacy, word) {
            self.unknown("evidence.privacy", word, "way of privacy", &Privacy::ALL.map(Privacy::label));
        }
        if privacy == Some(Privacy::None) {
            self.notices.push("evidence.privacy is none: faces and number plates stay as the cameras show them".into());
        }
        privacy.unwrap_or_default()
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
        let is_masked = !raw.mask.is_empty();
        if clips.is_some() && is_masked {
            let why = "they are copied as the camera sends them, and would show what its masks hide";
            self.notices.push(format!("camera[{index}] keeps no clips: {why}; write clips = false"));
        } else if clips.is_some() {
            self.notices.push(format!("camera[{index}] keeps clips: faces and number plates in them are not blurred"));
        }
        let of_ring = clips.filter(|_| !is_masked);
        let is_held = has_record && (snapshots_from.is_some() || of_ring.is_some());
        let ring = is_held.then(|| ring_limits(of_ring.as_ref(), defaults.ring_bytes));
        OfCamera { snapshots_from, clips, privacy: defaults.privacy, ring }
    }
}

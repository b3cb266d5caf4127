//! What of one rule is withheld, by its cooldown or because the camera storms, and how much of that was told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::{Finding, Shape, Subject};
use crate::time::MediaTime;

/// After an incident opened, further ones are withheld for a while; a level one that outlasts the cooldown opens then.
#[derive(Debug, Default)]
pub(super) struct Cooldown {
    opened: Option<MediaTime>,
    /// Level findings that are being withheld.
    withheld: BTreeMap<Subject, Withheld>,
    /// Withheld ones that are over and were not told of.
    gone: u32,
    /// Since when something is withheld because the camera storms, and not told.
    stormed: Option<MediaTime>,
}

#[derive(Debug)]
struct Withheld {
    last: MediaTime,
    told: bool,
}

impl Cooldown {
    /// Whether `finding`, which would open an incident, is withheld; if not, its incident opens now. `may_open` is asked when
    /// the cooldown does not withhold it.
    pub(super) fn withholds(
        &mut self,
        finding: &Finding,
        now: MediaTime,
        cooldown: Duration,
        may_open: impl FnOnce() -> bool,
    ) -> bool {
        if self.opened.is_none_or(|opened| now.since(opened) >= cooldown) {
            if may_open() {
                self.withheld.remove(&finding.subject);
                self.opened = Some(now);
                return false;
            }
            self.stormed.get_or_insert(now);
        }
        match finding.shape {
            Shape::Pulse => self.gone += 1,
            Shape::Level { .. } => {
                self.withheld.entry(finding.subject).or_insert(Withheld { last: now, told: false }).last = now;
            }
        }
        true
    }

    /// Forgets what was withheld and is over.
    pub(super) fn forget(&mut self, now: MediaTime, end_after: Duration) {
        let over = self.withheld.extract_if(.., |_, withheld| now.since(withheld.last) >= end_after);
        self.gone += over.map(|(_, withheld)| u32::from(!withheld.told)).sum::<u32>();
    }

    /// How many incidents a storm withheld that no event has told of for `after`; from now on they are told. `None`: none.
    pub(super) fn overdue(&mut self, now: MediaTime, after: Duration) -> Option<u32> {
        self.stormed.filter(|since| now.since(*since) >= after)?;
        Some(self.tell()).filter(|count| *count > 0)
    }

    /// How many incidents were withheld that no event told of; from now on they are told.
    pub(super) fn tell(&mut self) -> u32 {
        self.stormed = None;
        let untold = self.withheld.values_mut().filter(|withheld| !withheld.told);
        let lasting: u32 = untold.map(|withheld| u32::from(!std::mem::replace(&mut withheld.told, true))).sum();
        lasting + std::mem::take(&mut self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::TrackId;

    const COOLDOWN: Duration = Duration::from_secs(60);
    const END_AFTER: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> MediaTime {
        MediaTime::from_nanos(seconds * 1_000_000_000)
    }

    fn finding(track: u64, shape: Shape) -> Finding {
        let subject = Subject::Track(TrackId(track));
        Finding { subject, shape, tracks: vec![], direction: None, severity: None, measured: vec![] }
    }

    #[test]
    fn what_is_withheld_is_told_once_and_forgotten_when_it_is_over() {
        let mut cooldown = Cooldown::default();
        let level = |track| finding(track, Shape::Level { since: at(0) });
        assert!(!cooldown.withholds(&level(0), at(0), COOLDOWN, || true));
        for track in 1..=1000 {
            assert!(cooldown.withholds(&level(track), at(1), COOLDOWN, || true));
            assert!(
                cooldown.withholds(&level(track), at(2), COOLDOWN, || true),
                "and counts once however long it lasts"
            );
        }
        assert!(cooldown.withholds(&finding(0, Shape::Pulse), at(2), COOLDOWN, || true));
        assert_eq!((cooldown.tell(), cooldown.tell()), (1001, 0));
        cooldown.forget(at(5), END_AFTER);
        assert!(cooldown.withheld.is_empty());
        assert_eq!(cooldown.tell(), 0);
    }

    #[test]
    fn without_a_cooldown_nothing_is_withheld() {
        let mut cooldown = Cooldown::default();
        for _ in 0..3 {
            assert!(!cooldown.withholds(&finding(1, Shape::Pulse), at(1), Duration::ZERO, || true));
        }
    }
}

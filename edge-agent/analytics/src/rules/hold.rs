//! For how long something has been true of each track, short interruptions bridged.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scene::TrackId;
use crate::time::MediaTime;

/// An unbroken stretch of time in which something was true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// When it first was true.
    pub(super) since: MediaTime,
    /// When it last was true.
    pub(super) last: MediaTime,
}

impl Run {
    /// How long it has been true.
    pub(super) fn held(self) -> Duration {
        self.last.since(self.since)
    }
}

/// Takes one more look: the run goes on while it is true or was so within `bridge`, else it is over.
///
/// Not looking (a lost track) is no interruption: nothing was seen that speaks against it.
pub(super) fn observe(run: Option<Run>, now: MediaTime, is_true: bool, bridge: Duration) -> Option<Run> {
    match run {
        Some(run) if is_true => Some(Run { last: now, ..run }),
        Some(run) => (now.since(run.last) <= bridge).then_some(run),
        None => is_true.then_some(Run { since: now, last: now }),
    }
}

/// The runs of many tracks; holds nothing for tracks of which it is not true.
#[derive(Debug)]
pub(super) struct Runs {
    bridge: Duration,
    by_track: BTreeMap<TrackId, Run>,
}

impl Runs {
    /// No runs; interruptions up to `bridge` do not end one.
    pub(super) fn new(bridge: Duration) -> Self {
        Self { bridge, by_track: BTreeMap::new() }
    }

    /// Takes one more look at a track.
    pub(super) fn observe(&mut self, track: TrackId, now: MediaTime, is_true: bool) -> Option<Run> {
        let run = observe(self.by_track.get(&track).copied(), now, is_true, self.bridge);
        match run {
            Some(run) => self.by_track.insert(track, run),
            None => self.by_track.remove(&track),
        };
        run
    }

    /// Drops every run: what is true begins anew.
    pub(super) fn clear(&mut self) {
        self.by_track.clear();
    }

    /// Drops the runs of tracks that ended.
    pub(super) fn forget(&mut self, ended: &[TrackId]) {
        for track in ended {
            self.by_track.remove(track);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_track.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: Duration = Duration::from_millis(500);

    fn at(millis: u64) -> MediaTime {
        MediaTime::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_short_interruption_does_not_end_a_run() {
        let run = observe(None, at(0), true, BRIDGE);
        let run = observe(run, at(400), false, BRIDGE);
        let run = observe(run, at(600), true, BRIDGE).expect("bridged");
        assert_eq!(run.held(), Duration::from_millis(600));
    }

    #[test]
    fn a_long_interruption_ends_a_run() {
        let run = observe(None, at(0), true, BRIDGE);
        let run = observe(run, at(501), false, BRIDGE);
        assert_eq!(run, None);
        assert_eq!(observe(run, at(600), true, BRIDGE).expect("a new run").since, at(600));
    }

    #[test]
    fn not_looking_is_no_interruption() {
        let run = observe(None, at(0), true, BRIDGE);
        let run = observe(run, at(9_000), true, BRIDGE).expect("nothing spoke against it");
        assert_eq!(run.since, at(0));
    }

    #[test]
    fn a_track_of_which_it_is_not_true_takes_no_memory() {
        let mut runs = Runs::new(BRIDGE);
        assert_eq!(runs.observe(TrackId(1), at(0), false), None);
        assert_eq!(runs.len(), 0);
        runs.observe(TrackId(1), at(0), true);
        runs.forget(&[TrackId(1)]);
        assert_eq!(runs.len(), 0);
    }
}

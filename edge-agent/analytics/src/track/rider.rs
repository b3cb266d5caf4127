//! Who rides what: a person who keeps with a two-wheeler is its rider.

use crate::geometry::BBox;
use crate::scene::TrackId;
use crate::time::MediaTime;

/// Share of the time seen over which a person must have kept with a two-wheeler to become its rider …
const BECOMES: f32 = 0.6;
/// … and below which a rider is on foot again.
const REMAINS: f32 = 0.3;
/// What happened this long ago counts 1/e, in seconds: one who parks and walks off is soon on foot.
const MEMORY: f32 = 10.0;
/// Least time seen together, in seconds: passing a parked motorcycle takes less.
const LEAST: f32 = 0.5;
/// A gap counts as no more than this, in seconds: nothing was seen of either.
const MAX_STEP: f32 = 0.5;
/// Least share of a person's lower half, or of the two-wheeler, that the other covers.
const SHARE: f32 = 0.5;
/// Heights of riders, upright, over those of what they ride, seen from any side.
const SIZE_RATIO: std::ops::Range<f32> = 0.5..4.0;
/// Two-wheelers remembered per person; tracks of one motorcycle that is often lost follow each other.
const CANDIDATES: usize = 4;

/// How much of its life a person kept with two-wheelers, and with which; bounded.
#[derive(Debug, Clone, Default)]
pub(super) struct Riding {
    at: Option<MediaTime>,
    seen: f32,
    together: f32,
    candidates: Vec<(TrackId, f32)>,
    ridden: Option<TrackId>,
}

/// The two-wheeler that `person` sits on: the one that shares most with the person's lower half.
pub(super) fn mount(person: BBox, two_wheelers: &[(TrackId, BBox)]) -> Option<TrackId> {
    let shares = two_wheelers.iter().map(|&(id, bbox)| (id, share(person, bbox)));
    shares.filter(|(_, share)| *share >= SHARE).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(id, _)| id)
}

/// Whether `person` sits on `two_wheeler`.
pub(super) fn sits_on(person: BBox, two_wheeler: BBox) -> bool {
    share(person, two_wheeler) >= SHARE
}

/// How much of a person's lower half and a two-wheeler is common, of the smaller of the two; 0 where the person is
/// beside it, or of another size altogether.
fn share(person: BBox, two_wheeler: BBox) -> f32 {
    let Some(lower) = BBox::new(person.left(), person.center().y, person.right(), person.bottom()) else { return 0.0 };
    let above = (two_wheeler.left()..=two_wheeler.right()).contains(&person.center().x);
    if above && SIZE_RATIO.contains(&(person.height() / two_wheeler.height())) {
        lower.intersection(two_wheeler) / lower.area().min(two_wheeler.area())
    } else {
        0.0
    }
}

impl Riding {
    /// The person was seen at `now`; `on` is the two-wheeler that it sits on.
    pub(super) fn observe(&mut self, now: MediaTime, on: Option<TrackId>) {
        let dt = self.at.map_or(0.0, |at| now.since(at).as_secs_f32()).min(MAX_STEP);
        self.at = Some(now);
        let kept = (-dt / MEMORY).exp();
        self.seen = self.seen * kept + dt;
        self.together *= kept;
        for (_, weight) in &mut self.candidates {
            *weight *= kept;
        }
        if let Some(id) = on {
            self.together += dt;
            self.vote(id, dt);
        }
        let needed = if self.ridden.is_some() { REMAINS } else { BECOMES };
        let rides = self.together >= LEAST && self.together >= needed * self.seen;
        let strongest = self.candidates.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        self.ridden = strongest.filter(|_| rides).map(|(id, _)| *id);
    }

    fn vote(&mut self, id: TrackId, weight: f32) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.0 == id) {
            candidate.1 += weight;
            return;
        }
        if self.candidates.len() == CANDIDATES {
            let weakest = (0..CANDIDATES).min_by(|&a, &b| self.candidates[a].1.total_cmp(&self.candidates[b].1));
            self.candidates.swap_remove(weakest.expect("there are candidates"));
        }
        self.candidates.push((id, weight));
    }

    /// The two-wheeler it rides. It may have ended since: its rider still is one.
    pub(super) fn ridden(&self) -> Option<TrackId> {
        self.ridden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bbox(x: f32, bottom: f32, width: f32, height: f32) -> BBox {
        BBox::new(x - width / 2.0, bottom - height, x + width / 2.0, bottom).expect("positive size")
    }

    /// Observes ten times a second; `on` by the frame.
    fn watch(riding: &mut Riding, from: u64, frames: u64, on: impl Fn(u64) -> Option<TrackId>) {
        for frame in 0..frames {
            riding.observe(MediaTime::from_nanos((from + frame) * 100_000_000), on(frame));
        }
    }

    #[test]
    fn a_rider_sits_on_the_two_wheeler_and_a_walker_is_beside_it() {
        let motorcycle = (TrackId(7), bbox(0.5, 0.8, 0.1, 0.15));
        assert_eq!(mount(bbox(0.5, 0.78, 0.06, 0.25), &[motorcycle]), Some(TrackId(7)));
        assert_eq!(mount(bbox(0.58, 0.8, 0.06, 0.25), &[motorcycle]), None, "walks beside");
        assert_eq!(mount(bbox(0.5, 0.66, 0.02, 0.05), &[motorcycle]), None, "far behind");
    }

    #[test]
    fn of_two_motorcycles_the_rider_sits_on_the_one_below() {
        let two = [(TrackId(1), bbox(0.46, 0.8, 0.1, 0.15)), (TrackId(2), bbox(0.52, 0.8, 0.1, 0.15))];
        assert_eq!(mount(bbox(0.52, 0.78, 0.06, 0.25), &two), Some(TrackId(2)));
    }

    #[test]
    fn passing_a_parked_motorcycle_makes_no_rider() {
        let mut riding = Riding::default();
        watch(&mut riding, 0, 60, |frame| (20..28).contains(&frame).then_some(TrackId(1)));
        assert_eq!(riding.ridden(), None);
    }

    #[test]
    fn a_rider_is_known_though_the_motorcycle_is_seen_two_frames_in_three() {
        let mut riding = Riding::default();
        watch(&mut riding, 0, 30, |frame| (frame % 3 != 0).then_some(TrackId(4)));
        assert_eq!(riding.ridden(), Some(TrackId(4)));
    }

    #[test]
    fn many_tracks_of_one_motorcycle_still_make_a_rider_and_are_not_all_kept() {
        let mut riding = Riding::default();
        watch(&mut riding, 0, 100, |frame| Some(TrackId(1 + frame / 10)));
        assert!(riding.ridden().is_some());
        assert!(riding.candidates.len() <= CANDIDATES);
    }

    #[test]
    fn a_rider_remains_one_for_a_while_and_is_on_foot_in_the_end() {
        let mut riding = Riding::default();
        watch(&mut riding, 0, 100, |_| Some(TrackId(1)));
        watch(&mut riding, 100, 30, |_| None);
        assert_eq!(riding.ridden(), Some(TrackId(1)));
        watch(&mut riding, 130, 300, |_| None);
        assert_eq!(riding.ridden(), None);
    }
}

//! What holds of the measures' own state.

use super::*;
use crate::detection::Confidence;
use crate::geometry::{BBox, Polygon, Segment};
use crate::id::{LineId, ZoneId};
use crate::scene::TrackState;
use crate::zone::{Anchor, ZoneKind};

fn params() -> MeasureParams {
    let p = Point::new;
    let polygon = Polygon::new(vec![p(0.1, 0.1), p(0.9, 0.1), p(0.9, 0.9), p(0.1, 0.9)]).expect("simple");
    let anchor = Anchor::BottomCenter;
    let line = |id: &str, x| Line {
        id: LineId::new(id).expect("id"),
        segment: Segment::new(p(x, 0.0), p(x, 1.0)).expect("segment"),
        anchor,
    };
    MeasureParams {
        camera: CameraId::new("cam").expect("id"),
        interval: MeasureParams::INTERVAL,
        lines: vec![line("a", 0.4), line("b", 0.6)],
        lanes: vec![Zone { id: ZoneId::new("z").expect("id"), kind: ZoneKind::Lane, polygon, heading: None, anchor }],
        ground: None,
        longest_step: Duration::from_secs(2),
        id_seed: 7,
    }
}

fn scene(seq: u64, tracks: std::ops::Range<u64>, ended: std::ops::Range<u64>) -> Scene {
    let pts = MediaTime::from_nanos(seq * 200_000_000);
    let camera = CameraId::new("cam").expect("id");
    let stamp = FrameStamp { camera, seq, pts, captured_at: WallTime::UNIX_EPOCH + pts.since(MediaTime::ZERO) };
    let track = |id| Track {
        id: TrackId(id),
        class: Class::Car,
        confidence: Confidence::new(0.9).expect("in range"),
        bbox: BBox::new(0.4, 0.4, 0.5, 0.5).expect("box"),
        velocity: Point::default(),
        state: TrackState::Seen,
        first_seen: pts,
        last_seen: pts,
        rider_of: None,
        ground: None,
        path: Vec::new(),
    };
    Scene::new(stamp, 1.5, tracks.map(track).collect(), ended.map(TrackId).collect())
}

#[test]
fn a_hundred_thousand_tracks_leave_nothing_behind() {
    const ALIVE: u64 = 100;
    let mut measures = Measures::new(params());
    for seq in 0..1000 {
        let first = seq * ALIVE + 1;
        measures.step(&scene(seq, first..first + ALIVE, first.saturating_sub(ALIVE)..first), LocalTime::MONDAY);
        assert!((1..=ALIVE as usize).contains(&measures.tracked()));
    }
    measures.step(&scene(1000, 0..0, 999 * ALIVE + 1..1000 * ALIVE + 1), LocalTime::MONDAY);
    assert_eq!(measures.tracked(), 0);
}

#[test]
fn an_interval_begins_at_the_sites_full_hour_not_at_greenwichs() {
    // 00:10:07 of Greenwich is 05:40:07 where the clock is five and a half hours ahead.
    let at = WallTime::UNIX_EPOCH + Duration::from_secs(607);
    let local = LocalTime { minute: 5 * 60 + 40, ..LocalTime::MONDAY };
    let begins = |interval| begin(at, local, Duration::from_secs(interval)).as_unix_nanos() / 1_000_000_000;
    assert_eq!([60, 300, 900, 3600].map(begins), [600, 600, 0, -1800]);
}

#[test]
fn a_clock_set_back_by_less_than_an_interval_does_not_begin_another() {
    let running = Tally { from_unix_nanos: 600_000_000_000, length_nanos: 60_000_000_000, ..Tally::default() };
    let another = |seconds: i64| {
        is_another(&running, WallTime::from_unix_nanos(seconds * 1_000_000_000), Duration::from_secs(60))
    };
    assert_eq!([600, 660, 540, 480, 0].map(another), [false, true, false, true, true]);
}

//! What is measured of traffic, at any frame rate, over gaps and restarts.

mod scenario;

use std::time::Duration;

use analytics::ground::Homography;
use analytics::measure::{Interval, LevelBasis, MeasureParams, Measures, Tally};
use analytics::{
    CameraId, Class, Direction, Ground, Line, LineId, LocalTime, MediaTime, Point, Scene, Segment, Zone, ZoneKind,
};
use proptest::prelude::*;
use scenario::{Actor, line, scenes, zone};

const RATES: [u64; 5] = [5, 10, 15, 25, 30];

fn params(lines: Vec<Line>, lanes: Vec<Zone>) -> MeasureParams {
    MeasureParams {
        camera: CameraId::new("cam").expect("id"),
        interval: MeasureParams::INTERVAL,
        lines,
        lanes,
        ground: None,
        longest_step: Duration::from_secs(2),
        id_seed: 7,
    }
}

/// A lane from left to right over the middle of the picture.
fn lane() -> Zone {
    let heading = Segment::new(Point::new(0.1, 0.5), Point::new(0.9, 0.5)).expect("segment");
    Zone { heading: Some(heading), ..zone(ZoneKind::Lane, 0.1, 0.3, 0.9, 0.7) }
}

fn named(id: &str, line: Line) -> Line {
    Line { id: LineId::new(id).expect("id"), ..line }
}

/// 100 m of ground over the picture's width, looked at from straight above, known within 5 %.
fn from_above() -> Ground {
    let map = Homography::new([[100.0, 0.0, 0.0], [0.0, 56.25, 0.0], [0.0, 0.0, 1.0]], [0.5, 0.5]);
    Ground::new(map.expect("usable"), |_| 0.05)
}

/// About half of the frames, by a fixed pattern without a period that matters.
fn half(scenes: Vec<Scene>) -> Vec<Scene> {
    let keep = |index: &usize| (*index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0;
    let mut ended = Vec::new();
    let mut kept = Vec::new();
    for (index, mut scene) in scenes.into_iter().enumerate() {
        ended.append(&mut scene.ended);
        if keep(&index) {
            scene.ended = std::mem::take(&mut ended);
            kept.push(scene);
        }
    }
    kept
}

fn run(measures: &mut Measures, scenes: &[Scene]) -> Vec<Interval> {
    // The scenes begin at midnight of Greenwich, and so does this site's day.
    let local =
        |scene: &Scene| LocalTime { minute: (scene.stamp.pts.as_secs_f64() / 60.0) as u16, ..LocalTime::MONDAY };
    scenes.iter().filter_map(|scene| measures.step(scene, local(scene))).collect()
}

fn measure(params: MeasureParams, mut scenes: Vec<Scene>) -> Vec<Interval> {
    if let Some(ground) = &params.ground {
        for track in scenes.iter_mut().flat_map(|scene| &mut scene.tracks) {
            track.ground = ground.at(track.bbox.bottom_center());
        }
    }
    let mut measures = Measures::new(params);
    let mut intervals = run(&mut measures, &scenes);
    intervals.extend(measures.finish());
    intervals
}

/// How many crossed either way.
fn crossed(intervals: &[Interval], line: &str) -> (u32, u32) {
    let of_line = intervals.iter().flat_map(|interval| &interval.lines).filter(|figures| figures.line == line);
    of_line.fold((0, 0), |(right, left), figures| {
        (right + figures.left_to_right.total(), left + figures.right_to_left.total())
    })
}

/// A car every `every` seconds from left to right, `seconds` under way.
fn stream(count: u64, every: f64, seconds: f64) -> Vec<Actor> {
    let car = |id: u64| {
        let from = id as f64 * every;
        Actor::new(id + 1, Class::Car).at(from, 0.05, 0.5).at(from + seconds, 0.95, 0.5)
    };
    (0..count).map(car).collect()
}

fn middle() -> Line {
    // Walked downwards, so that from left to right in the picture is from the walker's left to the right … seen from below.
    named("mid", line(0.5, 1.0, 0.5, 0.0))
}

mod lines {
    use super::*;

    #[test]
    fn the_same_vehicles_are_counted_at_every_rate_and_with_half_the_frames_lost() {
        for fps in RATES {
            let all = scenes(&stream(20, 4.0, 8.0), fps);
            for clip in [all.clone(), half(all)] {
                let intervals = measure(params(vec![middle()], vec![]), clip);
                assert_eq!(crossed(&intervals, "mid"), (20, 0), "at {fps} fps");
                assert_eq!(intervals.len(), 2);
            }
        }
    }

    #[test]
    fn stop_and_go_on_the_line_counts_once() {
        let mut car = Actor::new(1, Class::Car).jitter(0.05).at(0.0, 0.1, 0.5).at(5.0, 0.5, 0.5);
        for step in 0..20 {
            let x = if step % 2 == 0 { 0.497 } else { 0.503 };
            car = car.at(6.0 + f64::from(step), x, 0.5);
        }
        let intervals = measure(params(vec![middle()], vec![]), scenes(&[car.at(30.0, 0.9, 0.5)], 15));
        assert_eq!(crossed(&intervals, "mid"), (1, 0));
    }

    #[test]
    fn a_rider_is_counted_with_the_motorcycle() {
        let motorcycle = Actor::new(1, Class::Motorcycle).at(0.0, 0.1, 0.5).at(5.0, 0.9, 0.5);
        let rider = Actor::new(2, Class::Person).rides(1).at(0.0, 0.1, 0.48).at(5.0, 0.9, 0.48);
        let walker = Actor::new(3, Class::Person).at(0.0, 0.9, 0.8).at(9.0, 0.1, 0.8);
        let intervals = measure(params(vec![middle()], vec![]), scenes(&[motorcycle, rider, walker], 10));
        let counts = |direction| intervals[0].lines[0].way(direction).counts.clone();
        assert_eq!(counts(Direction::LeftToRight), [("motorcycle".to_owned(), 1)]);
        assert_eq!(counts(Direction::RightToLeft), [("person".to_owned(), 1)]);
    }

    #[test]
    fn headway_is_front_to_front_and_the_gap_less_by_what_a_vehicle_covers() {
        let intervals = measure(params(vec![middle()], vec![]), scenes(&stream(10, 4.0, 9.0), 25));
        let way = intervals[0].lines[0].way(Direction::LeftToRight);
        assert!((way.headway_s.expect("ten cars") - 4.0).abs() < 0.05, "{way:?}");
        // A box of 0.14 picture heights at a tenth of the width (0.178 heights) a second.
        assert!((way.gap_s.expect("ten cars") - (4.0 - 0.14 / 0.178)).abs() < 0.1, "{way:?}");
    }

    #[test]
    fn without_a_calibration_there_is_no_speed_and_no_density() {
        let intervals = measure(params(vec![middle()], vec![lane()]), scenes(&stream(10, 4.0, 9.0), 10));
        assert!(intervals[0].lines[0].way(Direction::LeftToRight).speed.is_none());
        let lane = &intervals[0].lanes[0];
        assert_eq!((lane.density_per_km, lane.speed_kmh, lane.queue_longest_m), (None, None, None));
        assert_eq!(lane.level.map(|(_, basis)| basis), Some(LevelBasis::Occupancy));
    }

    #[test]
    fn space_mean_speed_is_harmonic_and_within_its_band() {
        // 90 m in 5 s and in 10 s, ten each, one after the other: 64.8 and 32.4 km/h.
        let mut actors = stream(20, 12.0, 10.0);
        for (index, actor) in actors.iter_mut().enumerate().filter(|(index, _)| index % 2 == 0) {
            let from = index as f64 * 12.0;
            *actor = Actor::new(index as u64 + 1, Class::Car).at(from, 0.05, 0.5).at(from + 5.0, 0.95, 0.5);
        }
        for fps in RATES {
            let params = MeasureParams {
                interval: Duration::from_secs(600),
                ground: Some(from_above()),
                ..params(vec![middle()], vec![lane()])
            };
            let intervals = measure(params, scenes(&actors, fps));
            let speed = intervals[0].lines[0].way(Direction::LeftToRight).speed.expect("calibrated");
            let mean = speed.space_mean_kmh;
            assert_eq!(speed.vehicles, 20);
            assert!((mean.value - 43.2).abs() < 0.5, "at {fps} fps {mean:?}");
            assert!(mean.low < 43.2 * 0.95 && mean.high > 43.2 * 1.05, "{mean:?}");
            let p85 = speed.p85_kmh.expect("twenty speeds");
            assert!((p85.value - 64.8).abs() < 1.0 && p85.low <= 64.8, "at {fps} fps {p85:?}");
            let lane = &intervals[0].lanes[0];
            let on_lane = lane.speed_kmh.expect("calibrated");
            assert!((on_lane - 43.2).abs() < 1.5, "Edie's mean over the lane is the same traffic's: {on_lane}");
        }
    }
}

mod turning {
    use super::*;

    fn gates() -> Vec<Line> {
        vec![
            named("west", line(0.2, 1.0, 0.2, 0.0)),
            named("east", line(0.8, 1.0, 0.8, 0.0)),
            named("south", line(0.3, 0.8, 0.7, 0.8)),
        ]
    }

    fn movements(actors: &[Actor], fps: u64) -> Vec<(String, String, u32)> {
        let intervals = measure(params(gates(), vec![]), scenes(actors, fps));
        let all = intervals.into_iter().flat_map(|interval| interval.movements);
        all.map(|movement| (movement.from, movement.to, movement.count)).collect()
    }

    #[test]
    fn a_vehicle_makes_one_movement_from_its_first_gate_to_its_next() {
        let straight = Actor::new(1, Class::Car).at(0.0, 0.05, 0.5).at(6.0, 0.95, 0.5);
        let right = Actor::new(2, Class::Truck).at(8.0, 0.05, 0.5).at(12.0, 0.5, 0.5).at(16.0, 0.5, 0.99);
        let back = Actor::new(3, Class::Car).at(18.0, 0.05, 0.5).at(20.0, 0.4, 0.5).at(23.0, 0.05, 0.52);
        let on_and_on =
            Actor::new(4, Class::Bus).at(25.0, 0.05, 0.5).at(28.0, 0.95, 0.5).at(30.0, 0.5, 0.5).at(33.0, 0.5, 0.99);
        let expected: Vec<(String, String, u32)> =
            [("west", "east", 1), ("west", "east", 1), ("west", "south", 1), ("west", "west", 1)]
                .map(|(from, to, count)| (from.to_owned(), to.to_owned(), count))
                .into();
        for fps in RATES {
            assert_eq!(movements(&[straight.clone(), right.clone(), back.clone(), on_and_on.clone()], fps), expected);
        }
    }
}

mod lanes {
    use super::*;

    #[test]
    fn occupancy_is_the_share_that_vehicles_cover_whatever_the_rate() {
        // Three standing boxes of 0.14 heights each on a lane of 0.8 widths (1.42 heights).
        let car = |id: u64, x| Actor::new(id, Class::Car).at(0.0, x, 0.5).at(59.0, x, 0.5);
        let expected = 3.0 * 0.14 / (0.8 * f64::from(scenario::ASPECT));
        for fps in RATES {
            let all = scenes(&[car(1, 0.2), car(2, 0.5), car(3, 0.8)], fps);
            for mut clip in [all.clone(), half(all)] {
                clip.retain(|scene| (5.0..50.0).contains(&scene.stamp.pts.as_secs_f64()));
                let lane = &measure(params(vec![], vec![lane()]), clip)[0].lanes[0];
                assert!((lane.occupancy.expect("observed") - expected).abs() < 0.01, "at {fps} fps: {lane:?}");
                assert!((lane.vehicles.expect("observed") - 3.0).abs() < 0.1);
            }
        }
    }

    #[test]
    fn a_queue_is_as_long_as_its_chain() {
        let car = |id: u64, x: f32, from: f64| {
            Actor::new(id, Class::Car).at(from, 0.12, 0.5).at(from + 4.0, x, 0.5).at(55.0, x, 0.5)
        };
        // 10 m from one to the next, and one far behind.
        let actors = [car(1, 0.85, 0.0), car(2, 0.75, 5.0), car(3, 0.65, 10.0), car(4, 0.3, 15.0)];
        let params = MeasureParams { ground: Some(from_above()), ..params(vec![], vec![lane()]) };
        for fps in RATES {
            let lane = &measure(params.clone(), scenes(&actors, fps))[0].lanes[0];
            assert_eq!(lane.queue_most, 3, "at {fps} fps");
            assert!((lane.queue_longest_m.expect("calibrated") - 20.0).abs() < 0.1, "{lane:?}");
        }
    }

    #[test]
    fn density_is_vehicles_over_the_lanes_length_on_the_ground() {
        let car = |id: u64, x| Actor::new(id, Class::Car).at(0.0, x, 0.5).at(59.0, x, 0.5);
        let params = MeasureParams { ground: Some(from_above()), ..params(vec![], vec![lane()]) };
        let mut clip = scenes(&[car(1, 0.2), car(2, 0.5)], 10);
        clip.retain(|scene| (5.0..50.0).contains(&scene.stamp.pts.as_secs_f64()));
        let lane = measure(params, clip)[0].lanes[0].clone();
        assert!((lane.density_per_km.expect("calibrated") - 25.0).abs() < 0.1, "two on 80 m: {lane:?}");
        assert_eq!(lane.level.map(|(level, basis)| (level.label(), basis)), Some(("E", LevelBasis::Density)));
    }
}

mod intervals {
    use super::*;

    #[test]
    fn they_follow_the_clock_and_say_what_was_observed() {
        let mut clip = scenes(&stream(30, 5.0, 8.0), 10);
        // The camera is away from 70 s to 95 s.
        clip.retain(|scene| !(70.0..95.0).contains(&scene.stamp.pts.as_secs_f64()));
        let intervals = measure(params(vec![middle()], vec![]), clip);
        let begins: Vec<f64> = intervals.iter().map(|interval| scenario::seconds(interval.from)).collect();
        assert_eq!(begins, [0.0, 60.0, 120.0]);
        let observed: Vec<i64> = intervals.iter().map(|interval| interval.observed_s.round() as i64).collect();
        assert_eq!(&observed[..2], [60, 35]);
        assert_eq!(intervals[0].frames, 600);
        for interval in &intervals {
            assert!(interval.observed_s <= 60.0 + 1e-6);
        }
    }

    #[test]
    fn a_zero_that_was_observed_is_told_and_a_minute_that_was_not_is_left_out() {
        let mut clip = scenes(&stream(1, 1.0, 190.0), 5);
        clip.retain(|scene| !(60.0..120.0).contains(&scene.stamp.pts.as_secs_f64()));
        let intervals = measure(params(vec![named("far", line(0.99, 1.0, 0.99, 0.0))], vec![]), clip);
        let begins: Vec<f64> = intervals.iter().map(|interval| scenario::seconds(interval.from)).collect();
        assert_eq!(begins, [0.0, 120.0, 180.0]);
        assert_eq!(crossed(&intervals, "far"), (0, 0));
        assert_eq!(intervals[0].lines.len(), 1);
    }

    #[test]
    fn one_that_no_frame_closes_is_closed_when_it_is_over() {
        let mut measures = Measures::new(params(vec![middle()], vec![]));
        let mut clip = scenes(&stream(3, 5.0, 8.0), 10);
        clip.truncate(200);
        assert!(run(&mut measures, &clip).is_empty());
        assert_eq!(measures.close_overdue(scenario::wall(59.9)), None);
        let closed = measures.close_overdue(scenario::wall(60.0)).expect("over");
        assert_eq!(crossed(&[closed], "mid"), (3, 0));
        assert_eq!(measures.close_overdue(scenario::wall(600.0)), None);
    }

    #[test]
    fn the_same_clip_gives_the_same_intervals_and_every_id_once() {
        let clip = scenes(&stream(40, 5.0, 8.0), 10);
        let first = measure(params(vec![middle()], vec![lane()]), clip.clone());
        assert_eq!(first, measure(params(vec![middle()], vec![lane()]), clip));
        let ids: std::collections::BTreeSet<_> = first.iter().map(|interval| interval.id).collect();
        assert_eq!(ids.len(), first.len());
    }
}

mod restarts {
    use super::*;

    /// What a store would give back.
    fn stored(tally: &Tally) -> Tally {
        serde_json::from_str(&serde_json::to_string(tally).expect("writes")).expect("reads")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn counts_go_on_without_a_gap_or_a_double(mut stops in prop::collection::vec(0_usize..2000, 0..6)) {
            let clip = scenes(&stream(40, 4.5, 6.0), 10);
            // A vehicle that is on the line when the program stops has no side any more: stop between vehicles.
            let is_free = |scene: &Scene| scene.tracks.iter().all(|track| (track.bbox.bottom_center().x - 0.5).abs() > 0.06);
            stops.sort_unstable();
            let whole = measure(params(vec![middle()], vec![lane()]), clip.clone());
            let mut measures = Measures::new(params(vec![middle()], vec![lane()]));
            let mut intervals = Vec::new();
            for (index, scene) in clip.iter().enumerate() {
                if stops.binary_search(&index).is_ok() && is_free(scene) {
                    let tally = measures.running().map(stored);
                    measures = Measures::new(params(vec![middle()], vec![lane()]));
                    tally.into_iter().for_each(|tally| measures.restore(tally));
                }
                intervals.extend(run(&mut measures, std::slice::from_ref(scene)));
            }
            intervals.extend(measures.finish());
            prop_assert_eq!(crossed(&intervals, "mid"), (40, 0));
            let lines = |intervals: &[Interval]| -> Vec<_> {
                intervals.iter().map(|i| (i.from, i.frames, crossed(std::slice::from_ref(i), "mid"))).collect()
            };
            prop_assert_eq!(lines(&intervals), lines(&whole));
        }
    }

    #[test]
    fn an_interval_that_is_over_is_told_as_it_was() {
        let mut measures = Measures::new(params(vec![middle()], vec![]));
        let mut clip = scenes(&stream(5, 5.0, 8.0), 10);
        let later = clip.split_off(200);
        run(&mut measures, &clip);
        let tally = stored(measures.running().expect("running"));
        let before = crossed(&measures.finish().into_iter().collect::<Vec<_>>(), "mid");
        let mut measures = Measures::new(params(vec![named("other", middle())], vec![]));
        measures.restore(tally);
        let hour = |mut scene: Scene| {
            scene.stamp.captured_at = scene.stamp.captured_at + Duration::from_secs(3600);
            scene.stamp.pts = MediaTime::from_nanos(scene.stamp.pts.as_nanos() - 20_000_000_000);
            scene
        };
        let later: Vec<Scene> = later.into_iter().map(hour).collect();
        let closed = run(&mut measures, &later);
        assert_eq!(scenario::seconds(closed[0].from), 0.0);
        assert!((closed[0].observed_s - 19.9).abs() < 0.01, "{}", closed[0].observed_s);
        assert_eq!(crossed(&closed[..1], "mid"), before);
        assert!(closed[0].lines.iter().all(|line| line.line != "other"), "it was not measured then");
    }
}

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn camera(analyse_fps: f64, priority: u8) -> CameraPlan {
    CameraPlan { analyse_fps, priority, key_frames_only: false, has_smaller_input: false }
}

/// A box that infers `capacity` frames a second, shared as the scheduler shares: each camera has what it is due, as far as
/// that goes.
struct SimulatedBox {
    ladder: Ladder,
    capacity: f64,
    temperature_c: Option<f64>,
    is_memory_short: bool,
    now: Duration,
    moves: Vec<(Duration, Move)>,
    /// Fractions of frames not yet told.
    owed: Vec<f64>,
}

impl SimulatedBox {
    fn new(cameras: &[CameraPlan], capacity: f64) -> Self {
        let ladder = Ladder::new(cameras, LadderParams::default(), ThermalParams::default());
        let owed = vec![0.0; cameras.len()];
        Self {
            ladder,
            capacity,
            temperature_c: None,
            is_memory_short: false,
            now: Duration::ZERO,
            moves: Vec::new(),
            owed,
        }
    }

    /// The largest rate that, as a cap, exhausts what there is.
    fn fair_cap(&self, capacity: f64) -> f64 {
        let mut asked: Vec<f64> = self.ladder.rungs().iter().map(|rung| rung.fps).collect();
        asked.sort_by(f64::total_cmp);
        let (mut left, mut cameras) = (capacity, asked.len() as f64);
        for fps in asked {
            if fps * cameras >= left {
                return left / cameras;
            }
            (left, cameras) = (left - fps, cameras - 1.0);
        }
        f64::INFINITY
    }

    /// A second, of which the box has `share` for itself.
    fn second(&mut self, share: f64) {
        self.now += SECOND;
        let capacity = self.capacity * share;
        let cap = self.fair_cap(capacity);
        let mut done = 0.0;
        let cameras = std::iter::zip(&mut self.owed, self.ladder.rungs()).map(|(owed, rung)| {
            let came = match rung.step {
                Step::Paused | Step::HealthOnly => 0,
                _ if rung.key_frames_only => u64::from(self.now.as_secs().is_multiple_of(2)),
                _ => 25,
            };
            let given = rung.fps.min(cap).min(came as f64);
            done += given;
            *owed += given;
            let analysed = owed.floor();
            *owed -= analysed;
            CameraLoad { came, analysed: analysed as u64, lag: Duration::ZERO }
        });
        let cameras = cameras.collect();
        let workers = (done / capacity).min(1.0);
        let reading = Reading {
            cameras,
            workers,
            cpu: Some(workers / 2.0),
            temperature_c: self.temperature_c,
            is_memory_short: self.is_memory_short,
        };
        self.moves.extend(self.ladder.tick(self.now, &reading).map(|went| (self.now, went)));
    }

    fn run(&mut self, seconds: u64) {
        (0..seconds).for_each(|_| self.second(1.0));
    }

    fn steps(&self) -> Vec<Step> {
        self.ladder.rungs().iter().map(|rung| rung.step).collect()
    }
}

#[test]
fn a_box_that_keeps_up_gives_nothing_up() {
    let mut there = SimulatedBox::new(&[camera(5.0, 1); 8], 50.0);
    there.run(3600);
    assert_eq!((there.moves.len(), there.ladder.cause()), (0, None));
}

#[test]
fn sustained_overload_goes_down_level_by_level_and_no_further_than_it_must() {
    let mut there = SimulatedBox::new(&[camera(20.0, 1); 8], 45.0);
    there.run(600);
    let rates: Vec<f64> = there.ladder.rungs().iter().map(|rung| rung.fps).collect();
    assert_eq!(rates, [5.0; 8], "40 of 45 frames a second");
    assert_eq!(there.steps(), [Step::LowerRate; 8]);
    let levels: Vec<usize> = there.moves.iter().map(|(_, went)| went.to).collect();
    assert_eq!(levels, [1, 2], "10 a second, 5 a second, and there it stays");
    assert!(there.moves[1].0 <= Duration::from_secs(30), "quickly: {:?}", there.moves);
    assert_eq!(there.ladder.cause(), Some(Cause::Late));
}

#[test]
fn a_box_that_carries_hardly_anything_ends_with_health_alone() {
    let mut there = SimulatedBox::new(&[camera(5.0, 1), camera(5.0, 2)], 0.001);
    there.run(30);
    let mut seen: Vec<Step> = Vec::new();
    // Single key frames do not tell lateness: what follows is heat's.
    there.temperature_c = Some(95.0);
    for _ in 0..300 {
        there.second(1.0);
        let step = there.steps()[0];
        if seen.last() != Some(&step) {
            seen.push(step);
        }
    }
    let lowest = there.ladder.lowest();
    assert_eq!(there.ladder.level(), lowest);
    assert_eq!(there.steps(), [Step::HealthOnly, Step::Paused]);
    let order = [Step::LowerRate, Step::KeyFrames, Step::CountsOnly, Step::HealthOnly];
    assert!(seen.ends_with(&order[1..]), "{seen:?}");
}

#[test]
fn recovery_climbs_back_one_level_at_a_time_and_slowly() {
    let mut there = SimulatedBox::new(&[camera(20.0, 1); 8], 22.0);
    there.run(120);
    assert_eq!(there.ladder.level(), 3);
    (there.capacity, there.moves) = (400.0, Vec::new());
    let from = there.now;
    there.run(600);
    let levels: Vec<usize> = there.moves.iter().map(|(_, went)| went.to).collect();
    assert_eq!(levels, [2, 1, 0]);
    let up_after = LadderParams::default().up_after;
    let mut before = from;
    for (at, _) in &there.moves {
        assert!(*at - before >= up_after, "{:?}", there.moves);
        before = *at;
    }
    assert_eq!(there.ladder.cause(), None);
}

#[test]
fn a_level_that_was_taken_up_in_vain_is_tried_more_and_more_rarely() {
    // Foreseen to fit, but the decoder then falls behind: frames tell nothing of that beforehand.
    let mut ladder = Ladder::new(&[camera(10.0, 1)], LadderParams::default(), ThermalParams::default());
    let (mut now, mut climbs) = (Duration::ZERO, Vec::new());
    for _ in 0..24 * 3600 {
        now += SECOND;
        let fps = ladder.rungs()[0].fps;
        let lag = if ladder.level() == 0 { 2 * LAG } else { Duration::ZERO };
        let load = CameraLoad { came: 25, analysed: fps as u64, lag };
        let reading =
            Reading { cameras: vec![load], workers: 0.3, cpu: Some(0.85), temperature_c: None, ..Reading::default() };
        if ladder.tick(now, &reading).is_some_and(|went| went.to < went.from) {
            climbs.push(now);
        }
    }
    let waits: Vec<u64> = climbs.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0]), "{waits:?}");
    assert!(climbs.len() < 60, "{} times in a day", climbs.len());
}

#[test]
fn cameras_of_a_lesser_priority_give_way_first_and_are_paused_before_others_merely_count() {
    let plan = [camera(10.0, 1), camera(10.0, 2), camera(10.0, 2), camera(10.0, 3)];
    let levels = plan::levels(&plan, 2.0);
    for level in &levels {
        for (a, b) in [(0, 1), (1, 3), (0, 3)] {
            assert!(level[a].fps >= level[b].fps && level[a].step <= level[b].step || level[b].fps == 0.0, "{level:?}");
        }
        assert_eq!(level[1], level[2], "equal priority, equal rung");
    }
    let paused = levels.iter().position(|level| level[1].step == Step::Paused).expect("a level pauses them");
    assert_eq!(levels[paused][0].step, Step::KeyFrames);
    assert!(levels.iter().all(|level| level[0].step != Step::Paused), "the one that matters most");
    assert_eq!(levels.last().map(|level| level[0].step), Some(Step::HealthOnly));
}

#[test]
fn what_asks_for_little_is_not_made_to_pay_for_what_asks_for_much() {
    let mut there = SimulatedBox::new(&[camera(25.0, 1), camera(2.0, 1), camera(2.0, 1)], 12.0);
    there.run(300);
    assert_eq!(there.steps(), [Step::LowerRate, Step::Full, Step::Full]);
}

#[test]
fn a_smaller_input_is_a_step_only_where_one_is_named() {
    let named = CameraPlan { has_smaller_input: true, ..camera(5.0, 1) };
    let steps = |camera| plan::levels(&[camera], 2.0).iter().map(|level| level[0].step).collect::<Vec<_>>();
    assert_eq!(
        steps(named),
        [Step::Full, Step::LowerRate, Step::SmallerInput, Step::KeyFrames, Step::CountsOnly, Step::HealthOnly]
    );
    assert!(!steps(camera(5.0, 1)).contains(&Step::SmallerInput));
    let on_key_frames = CameraPlan { key_frames_only: true, ..camera(5.0, 1) };
    assert!(!steps(on_key_frames).contains(&Step::KeyFrames), "it gives that up at all times");
}

#[test]
fn heat_alone_sheds_and_warmth_holds() {
    let mut there = SimulatedBox::new(&[camera(5.0, 1); 2], 100.0);
    there.temperature_c = Some(89.9);
    there.run(600);
    assert_eq!(there.ladder.level(), 0, "warm, and it keeps up");
    there.temperature_c = Some(90.0);
    there.run(45);
    assert_eq!((there.ladder.level(), there.ladder.cause()), (2, Some(Cause::Hot)), "a level every 20 s");
    there.temperature_c = Some(76.0);
    there.run(600);
    assert_eq!(there.ladder.level(), 2, "not below 75 °C");
    there.temperature_c = Some(74.0);
    there.run(600);
    assert_eq!((there.ladder.level(), there.ladder.cause()), (0, None));
}

#[test]
fn memory_that_stays_short_sheds_and_nothing_is_taken_up_before_it_is_enough() {
    let mut there = SimulatedBox::new(&[camera(5.0, 1); 2], 100.0);
    there.is_memory_short = true;
    there.run(29);
    assert_eq!(there.ladder.level(), 0, "what is held in memory gives first");
    there.run(35);
    assert_eq!((there.ladder.level(), there.ladder.cause()), (2, Some(Cause::MemoryShort)), "a level every 30 s");
    there.is_memory_short = false;
    there.run(1);
    there.is_memory_short = true;
    there.run(25);
    assert_eq!(there.ladder.level(), 2, "short anew");
    there.is_memory_short = false;
    there.run(600);
    assert_eq!((there.ladder.level(), there.ladder.cause()), (0, None));
}

#[test]
fn a_thermometer_that_wavers_about_the_limit_is_no_heat() {
    let mut there = SimulatedBox::new(&[camera(5.0, 1); 2], 100.0);
    for second in 0..3600 {
        there.temperature_c = Some(if second % 10 == 0 { 89.0 } else { 91.0 });
        there.second(1.0);
    }
    assert_eq!(there.moves.len(), 0);
}

#[test]
fn lateness_of_a_box_that_is_idle_is_not_cured_by_shedding() {
    let mut ladder = Ladder::new(&[camera(5.0, 1)], LadderParams::default(), ThermalParams::default());
    for second in 1..=600 {
        let load = CameraLoad { came: 25, analysed: 1, lag: Duration::ZERO };
        let reading =
            Reading { cameras: vec![load], workers: 0.1, cpu: Some(0.2), temperature_c: None, ..Reading::default() };
        assert_eq!(ladder.tick(Duration::from_secs(second), &reading), None, "a disk that does not commit, say");
    }
}

#[test]
fn a_camera_that_gives_no_pictures_is_not_late() {
    let mut ladder = Ladder::new(&[camera(5.0, 1)], LadderParams::default(), ThermalParams::default());
    for second in 1..=600 {
        let reading = Reading {
            cameras: vec![CameraLoad::default()],
            workers: 1.0,
            cpu: Some(1.0),
            temperature_c: None,
            ..Reading::default()
        };
        assert_eq!(ladder.tick(Duration::from_secs(second), &reading), None);
    }
}

#[test]
fn a_decoder_that_falls_behind_is_late_though_every_decoded_frame_is_analysed() {
    let mut ladder = Ladder::new(&[camera(5.0, 1)], LadderParams::default(), ThermalParams::default());
    let load = CameraLoad { came: 3, analysed: 3, lag: 2 * LAG };
    let reading =
        Reading { cameras: vec![load], workers: 0.3, cpu: Some(1.0), temperature_c: None, ..Reading::default() };
    let mut moves = (1..=15).filter_map(|second| ladder.tick(Duration::from_secs(second), &reading));
    assert_eq!(moves.next(), Some(Move { from: 0, to: 1, cause: Some(Cause::Late) }));
}

#[test]
fn a_ladder_that_is_switched_off_stays_where_it_is() {
    let params = LadderParams { enabled: false, ..LadderParams::default() };
    let mut ladder = Ladder::new(&[camera(5.0, 1)], params, ThermalParams::default());
    for second in 1..=600 {
        let load = CameraLoad { came: 25, analysed: 0, lag: 2 * LAG };
        let reading = Reading {
            cameras: vec![load],
            workers: 1.0,
            cpu: Some(1.0),
            temperature_c: Some(120.0),
            ..Reading::default()
        };
        assert_eq!(ladder.tick(Duration::from_secs(second), &reading), None);
    }
}

#[test]
fn every_kind_of_rule_is_judged_at_fewer_and_fewer_steps() {
    let order = [Step::Full, Step::LowerRate, Step::SmallerInput, Step::KeyFrames, Step::CountsOnly, Step::HealthOnly];
    for kind in analytics::Kind::ALL {
        let judged = order.map(|step| is_judged(kind, step));
        assert!(judged[0] && judged.windows(2).all(|pair| pair[0] || !pair[1]), "{kind:?} {judged:?}");
        assert_eq!(is_judged(kind, Step::Paused), is_judged(kind, Step::HealthOnly));
    }
}

fn cameras() -> impl Strategy<Value = Vec<CameraPlan>> {
    let camera = (0.1..60.0_f64, 1..4_u8, any::<bool>(), any::<bool>()).prop_map(
        |(analyse_fps, priority, key_frames_only, has_smaller_input)| CameraPlan {
            analyse_fps,
            priority,
            key_frames_only,
            has_smaller_input,
        },
    );
    prop::collection::vec(camera, 1..17)
}

proptest! {
    /// However loud the neighbours on the box are: an hour sees few moves, and never one up and down at once.
    #[test]
    fn noise_does_not_make_it_flap(
        fps in 2.0..25.0_f64,
        load in 0.3..3.0_f64,
        noise in 0.0..0.5_f64,
        shares in prop::collection::vec(0.0..1.0_f64, 64),
    ) {
        let mut there = SimulatedBox::new(&[camera(fps, 1); 6], 6.0 * fps / load);
        for second in 0..3600 {
            there.second(1.0 - noise * shares[second * 7 % 64]);
        }
        let climbs = there.moves.iter().filter(|(_, went)| went.to < went.from).count();
        prop_assert!(climbs <= 2, "{} moves: {:?}", there.moves.len(), there.moves);
        for pair in there.moves.windows(2) {
            let (params, waited) = (LadderParams::default(), pair[1].0 - pair[0].0);
            let least = if pair[1].1.to > pair[1].1.from { params.down_after } else { params.up_after };
            prop_assert!(waited >= least, "{:?}", there.moves);
        }
    }

    #[test]
    fn each_level_gives_up_more_than_the_one_above_and_is_fair(cameras in cameras(), least in 0.5..5.0_f64) {
        let levels = plan::levels(&cameras, least);
        prop_assert!(levels[0].iter().all(|rung| rung.step == Step::Full));
        for pair in levels.windows(2) {
            prop_assert!(pair[0] != pair[1]);
            for (above, below) in std::iter::zip(&pair[0], &pair[1]) {
                prop_assert!(below.fps <= above.fps && below.step >= above.step);
            }
        }
        let most = cameras.iter().map(|camera| camera.priority).min();
        for level in &levels {
            for (a, one) in std::iter::zip(&cameras, level) {
                prop_assert!(one.step != Step::Paused || Some(a.priority) != most);
                for (b, other) in std::iter::zip(&cameras, level) {
                    if a == b {
                        prop_assert_eq!(one, other);
                    }
                    // Equal priority: one cap, so that the slower one asked for no more than that.
                    let is_capped = a.priority == b.priority && one.fps < other.fps && one.step == other.step;
                    prop_assert!(!is_capped || (one.fps - a.analyse_fps).abs() < 1e-9 || one.fps < least);
                }
            }
        }
        prop_assert!(levels.last().is_some_and(|last| last.iter().all(|rung| rung.fps == 0.0)));
    }
}

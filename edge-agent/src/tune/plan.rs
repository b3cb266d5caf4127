//! From what the stages cost to the setting that carries most: arithmetic, nothing else.
//!
//! Every camera takes `received × decoding + analysed × (inference + the rest)` of a core, each in CPU seconds a frame, as
//! measured under load. A setting carries as many cameras as fit twice: their CPU into the cores, and their analysed
//! frames into what its workers manage. Nothing is added for cores that are there and idle.

use serde::{Deserialize, Serialize};

use crate::detect::ort::ProviderChoice;

/// Share of the box's cores, and of what its workers manage, that may be planned with: what lies beyond is late now and
/// then. Raising it buys cameras and costs latency when all are busy at once.
const FULL: f64 = 0.95;

/// Share of that to be used; the rest is the reserve for scenes that are busier than the measured one, for pictures and
/// for a second camera's storm. Raising it buys cameras and costs what is left for them.
const PLANNED: f64 = 0.8;

/// What receiving and decoding one stream costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecodeCost {
    /// `H264` or `H265`.
    pub codec: String,
    /// The element that decodes.
    pub decoder: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Frames the stream gives a second.
    pub fps: f64,
    /// CPU milliseconds a frame.
    pub cpu_ms: f64,
}

/// What analysing one frame costs: tensors made, the network run on every region, boxes read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferCost {
    /// The model's name.
    pub model: String,
    /// Its measured average precision at an overlap of 0.5; `None`: nobody measured it.
    pub accuracy: Option<f64>,
    /// The provider, and what it is told.
    pub provider: ProviderChoice,
    /// Workers side by side.
    pub workers: usize,
    /// Threads of each one's session.
    pub threads: usize,
    /// CPU milliseconds a frame, with every worker busy.
    pub cpu_ms: f64,
    /// Of these, what making the tensors costs.
    pub prep_ms: f64,
    /// Frames a second that all workers manage together.
    pub fps: f64,
    /// Joules of the processor a frame; `None`: this box does not tell.
    pub joules: Option<f64>,
}

/// What the same takes when everything runs at once, over what it takes alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Contention {
    /// Of receiving and decoding.
    pub decode: f64,
    /// Of inference.
    pub infer: f64,
    /// CPU milliseconds of everything else, an analysed frame: tracking, rules, views, commits, health.
    pub rest_ms: f64,
}

impl Contention {
    /// Where it could not be measured: nothing is dearer together, and the rest as on the machine of benches/RESULTS.md.
    pub const UNKNOWN: Self = Self { decode: 1.0, infer: 1.0, rest_ms: 3.0 };
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Objective {
    /// So many cameras, for as little as possible; `None`: as many as possible.
    pub cameras: Option<u32>,
    /// Frames analysed a second and camera.
    pub analyse_fps: f64,
    /// Models below are not taken; nor, above zero, those that nobody measured.
    pub min_accuracy: f64,
    /// The least energy instead of the least CPU, among what is measured.
    pub least_energy: bool,
}

/// What one setting carries of one kind of stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The setting.
    pub infer: InferCost,
    /// The stream.
    pub decode: DecodeCost,
    /// Cameras with the reserve kept.
    pub cameras: u32,
    /// Further cameras that would fit if nothing were kept.
    pub reserve: u32,
    /// Cores that one camera takes.
    pub cores_a_camera: f64,
    /// What keeps a further camera out.
    pub limit: Limit,
}

/// What is used up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// CPU time.
    Cores,
    /// What the workers, or the accelerator behind them, manage.
    Workers,
}

impl Plan {
    /// Cores that so many cameras take.
    #[must_use]
    pub fn cores(&self, cameras: u32) -> f64 {
        f64::from(cameras) * self.cores_a_camera
    }
}

/// Cores that one camera takes.
#[must_use]
pub fn cores_a_camera(decode: &DecodeCost, infer: &InferCost, contention: Contention, analyse_fps: f64) -> f64 {
    let decoding = decode.fps * decode.cpu_ms * contention.decode;
    let analysed = analyse_fps.min(decode.fps);
    (decoding + analysed * (infer.cpu_ms * contention.infer + contention.rest_ms)) / 1000.0
}

/// What a setting carries on so many cores.
#[must_use]
pub fn plan(cores: f64, decode: &DecodeCost, infer: &InferCost, contention: Contention, analyse_fps: f64) -> Plan {
    let each = cores_a_camera(decode, infer, contention, analyse_fps);
    let analysed = analyse_fps.min(decode.fps);
    let by_cores = |share: f64| whole(cores * FULL * share / each);
    let by_workers = |share: f64| whole(infer.fps / contention.infer * FULL * share / analysed);
    let most = |share: f64| by_cores(share).min(by_workers(share));
    let limit = if by_cores(1.0) <= by_workers(1.0) { Limit::Cores } else { Limit::Workers };
    let cameras = most(PLANNED);
    let (infer, decode) = (infer.clone(), decode.clone());
    Plan { infer, decode, cameras, reserve: most(1.0) - cameras, cores_a_camera: each, limit }
}

/// Whole cameras; none for what is no number.
fn whole(cameras: f64) -> u32 {
    // Saturates: no box carries four thousand million.
    if cameras.is_nan() { 0 } else { cameras.floor() as u32 }
}

/// The best of the settings, `None` when no model reaches the floor. Wanted as many cameras as possible: the most, then
/// the more accurate model, then the least spent. Wanted a number: of those that carry it the more accurate model, then
/// the least spent; where none carries it, the one that carries most.
#[must_use]
pub fn best(
    cores: f64,
    decode: &DecodeCost,
    settings: &[InferCost],
    contention: Contention,
    objective: &Objective,
) -> Option<Plan> {
    let reaches = |infer: &&InferCost| {
        objective.min_accuracy <= 0.0 || infer.accuracy.is_some_and(|accuracy| accuracy >= objective.min_accuracy)
    };
    let plans =
        settings.iter().filter(reaches).map(|infer| plan(cores, decode, infer, contention, objective.analyse_fps));
    plans.max_by(|one, other| {
        let carried = |plan: &Plan| plan.cameras.min(objective.cameras.unwrap_or(u32::MAX));
        let spent = |plan: &Plan| match plan.infer.joules.filter(|_| objective.least_energy) {
            Some(joules) => joules,
            None => plan.cores_a_camera,
        };
        let accuracy = |plan: &Plan| plan.infer.accuracy.unwrap_or(0.0);
        carried(one)
            .cmp(&carried(other))
            .then(accuracy(one).total_cmp(&accuracy(other)))
            .then(spent(other).total_cmp(&spent(one)))
            .then(other.infer.workers.cmp(&one.infer.workers))
            .then(other.infer.threads.cmp(&one.infer.threads))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::ort::{Need, Provider};

    fn decode(fps: f64, cpu_ms: f64) -> DecodeCost {
        DecodeCost { codec: "H264".into(), decoder: "avdec_h264".into(), size: (1280, 720), fps, cpu_ms }
    }

    fn infer(model: &str, accuracy: f64, workers: usize, cpu_ms: f64) -> InferCost {
        InferCost {
            model: model.into(),
            accuracy: Some(accuracy),
            provider: ProviderChoice::new(Provider::Cpu, Need::Required),
            workers,
            threads: 1,
            cpu_ms,
            prep_ms: 0.5,
            fps: workers as f64 * 1000.0 / cpu_ms,
            joules: None,
        }
    }

    fn most(min_accuracy: f64) -> Objective {
        Objective { cameras: None, analyse_fps: 5.0, min_accuracy, least_energy: false }
    }

    const PLAIN: Contention = Contention { decode: 1.0, infer: 1.0, rest_ms: 1.0 };

    #[test]
    fn a_camera_takes_what_its_frames_take() {
        let (decode, infer) = (decode(25.0, 3.0), infer("a", 0.9, 1, 15.0));
        // 25 × 3 ms + 5 × (15 + 1) ms in a second.
        assert!((cores_a_camera(&decode, &infer, PLAIN, 5.0) - 0.155).abs() < 1e-12);
        let dearer = Contention { decode: 1.2, infer: 1.1, rest_ms: 2.0 };
        assert!((cores_a_camera(&decode, &infer, dearer, 5.0) - (25.0 * 3.6 + 5.0 * 18.5) / 1000.0).abs() < 1e-12);
        assert!(
            (cores_a_camera(&decode, &infer, PLAIN, 100.0) - 25.0 * 19.0 / 1000.0).abs() < 1e-12,
            "no more than come"
        );
    }

    #[test]
    fn one_worker_is_the_limit_where_decoding_costs_nothing_and_cores_are_many() {
        let plan = plan(8.0, &decode(5.0, 0.1), &infer("a", 0.9, 1, 20.0), PLAIN, 5.0);
        assert_eq!((plan.limit, plan.cameras + plan.reserve), (Limit::Workers, 9), "50 a second, a twentieth kept");
        let plan = super::plan(1.0, &decode(25.0, 6.0), &infer("a", 0.9, 4, 20.0), PLAIN, 5.0);
        assert_eq!(plan.limit, Limit::Cores);
    }

    #[test]
    fn asked_for_as_many_as_possible_the_quick_model_wins_and_above_its_accuracy_the_other() {
        let settings = [infer("quick", 0.7, 2, 10.0), infer("good", 0.9, 2, 30.0)];
        let stream = decode(25.0, 1.0);
        let chosen = |floor| best(2.0, &stream, &settings, PLAIN, &most(floor)).map(|plan| plan.infer.model);
        assert_eq!(chosen(0.0).as_deref(), Some("quick"));
        assert_eq!(chosen(0.8).as_deref(), Some("good"));
        assert_eq!(chosen(0.95), None);
    }

    #[test]
    fn asked_for_a_number_the_better_model_is_taken_while_it_carries_it() {
        let settings = [infer("quick", 0.7, 2, 10.0), infer("good", 0.9, 2, 30.0)];
        let stream = decode(25.0, 1.0);
        let chosen = |cameras| {
            let plan = best(2.0, &stream, &settings, PLAIN, &Objective { cameras: Some(cameras), ..most(0.0) });
            plan.expect("there is one").infer.model
        };
        assert_eq!((chosen(3).as_str(), chosen(15).as_str(), chosen(500).as_str()), ("good", "quick", "quick"));
    }

    #[test]
    fn a_model_that_nobody_measured_is_below_every_floor() {
        let unknown = InferCost { accuracy: None, ..infer("new", 0.0, 1, 5.0) };
        let best = |floor| best(2.0, &decode(25.0, 1.0), std::slice::from_ref(&unknown), PLAIN, &most(floor));
        assert!(best(0.0).is_some() && best(0.01).is_none());
    }

    #[test]
    fn the_least_energy_may_be_more_cpu() {
        let thrifty = InferCost { joules: Some(0.1), ..infer("a", 0.9, 1, 12.0) };
        let quick = InferCost { joules: Some(0.3), ..infer("a", 0.9, 2, 10.0) };
        let settings = [thrifty.clone(), quick.clone()];
        let chosen = |least_energy| {
            let objective = Objective { cameras: Some(1), least_energy, ..most(0.0) };
            best(2.0, &decode(25.0, 1.0), &settings, PLAIN, &objective).expect("both carry one").infer
        };
        assert_eq!((chosen(true), chosen(false)), (thrifty, quick));
    }

    fn setting() -> impl Strategy<Value = InferCost> {
        (0.0..1.0, 1..9_usize, 0.5..80.0)
            .prop_map(|(accuracy, workers, cpu_ms)| infer("any", accuracy, workers, cpu_ms))
    }

    proptest! {
        #[test]
        fn more_cores_never_carry_fewer_cameras(
            settings in proptest::collection::vec(setting(), 1..8),
            (cores, more) in (0.5..64.0, 0.0..16.0),
            (fps, ms) in (1.0..60.0, 0.01..12.0),
        ) {
            let cameras = |cores| best(cores, &decode(fps, ms), &settings, PLAIN, &most(0.0)).expect("no floor").cameras;
            prop_assert!(cameras(cores + more) >= cameras(cores));
        }

        #[test]
        fn nothing_below_the_floor_is_ever_chosen(
            settings in proptest::collection::vec(setting(), 0..8),
            floor in 0.01..1.0,
            wanted in proptest::option::of(1..40_u32),
        ) {
            let objective = Objective { cameras: wanted, ..most(floor) };
            let best = best(4.0, &decode(25.0, 2.0), &settings, PLAIN, &objective);
            let reachable = settings.iter().any(|setting| setting.accuracy >= Some(floor));
            prop_assert_eq!(best.is_some(), reachable);
            prop_assert!(best.is_none_or(|plan| plan.infer.accuracy >= Some(floor)));
        }

        #[test]
        fn what_is_planned_fits_the_cores_and_the_workers_and_one_more_does_not(
            setting in setting(),
            (cores, fps, ms) in (0.5..64.0, 1.0..60.0, 0.01..12.0),
        ) {
            let plan = plan(cores, &decode(fps, ms), &setting, PLAIN, 5.0);
            let most = plan.cameras + plan.reserve;
            let analysed = |cameras: u32| f64::from(cameras) * fps.min(5.0);
            prop_assert!(plan.cores(most) <= cores && analysed(most) <= setting.fps);
            prop_assert!(plan.cores(most + 1) > cores * FULL - 1e-9 || analysed(most + 1) > setting.fps * FULL - 1e-9);
            prop_assert!(plan.cores(plan.cameras) <= cores * PLANNED);
        }
    }
}

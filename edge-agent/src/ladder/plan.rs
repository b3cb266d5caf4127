//! What each level gives up: all levels are laid out when the cameras are known, so that what comes next is never a
//! question of the moment.

/// What is given up for a camera, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Nothing.
    Full,
    /// It is analysed less often than asked.
    LowerRate,
    /// Its model looks at the fewer parts of the picture that the camera or its pipeline names for this.
    SmallerInput,
    /// Key frames alone are decoded; rules that need to see things move are suspended.
    KeyFrames,
    /// Nothing is decoded, in favour of cameras that matter more.
    Paused,
    /// A key frame now and then: what is in it is counted; no pictures of incidents are kept.
    CountsOnly,
    /// Nothing is decoded: whether pictures come is all that is known.
    HealthOnly,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::LowerRate,
        Self::SmallerInput,
        Self::KeyFrames,
        Self::Paused,
        Self::CountsOnly,
        Self::HealthOnly,
    ];

    /// Its word in messages and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::LowerRate => "lower_rate",
            Self::SmallerInput => "smaller_input",
            Self::KeyFrames => "key_frames",
            Self::Paused => "paused",
            Self::CountsOnly => "counts_only",
            Self::HealthOnly => "health_only",
        }
    }
}

/// Where a camera stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// What is given up.
    pub step: Step,
    /// Frames to be analysed a second; 0: none.
    pub fps: f64,
    /// Whether key frames alone are decoded, by this step or by the camera's own setting.
    pub key_frames_only: bool,
    /// Whether the model looks at the fewer parts.
    pub smaller_input: bool,
}

/// What is asked of a camera, and what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraPlan {
    /// Frames a second.
    pub analyse_fps: f64,
    /// 1 matters most; cameras of greater numbers give way first.
    pub priority: u8,
    /// Whether key frames alone are decoded at all times.
    pub key_frames_only: bool,
    /// Whether it has fewer parts of the picture to look at.
    pub has_smaller_input: bool,
}

/// Frames a second from key frames alone: more than most cameras give.
const OF_KEY_FRAMES: f64 = 1.0;
/// Frames a second while things are only counted. Raising it counts more often; every one costs a whole inference.
const OF_COUNTS: f64 = 0.1;
/// A lower rate is worth a step when it is at most this share of the one before.
const WORTH: f64 = 0.75;

/// The levels: of each, every camera's rung.
#[must_use]
pub fn levels(cameras: &[CameraPlan], least_fps: f64) -> Vec<Vec<Rung>> {
    let full = |camera: &CameraPlan| Rung {
        step: Step::Full,
        fps: camera.analyse_fps,
        key_frames_only: camera.key_frames_only,
        smaller_input: false,
    };
    let mut levels = Levels { cameras, levels: vec![cameras.iter().map(full).collect()] };
    let mut priorities: Vec<u8> = cameras.iter().map(|camera| camera.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    let (most, least_first) = (priorities.first().copied(), priorities.into_iter().rev());
    for priority in least_first.clone() {
        for cap in caps(cameras.iter().filter(|camera| camera.priority == priority), least_fps) {
            levels.add(priority, |_, rung| {
                let is_above = rung.fps > cap;
                is_above.then_some(Rung { step: Step::LowerRate, fps: cap, ..rung })
            });
        }
    }
    for priority in least_first.clone() {
        levels.add(priority, |camera, rung| {
            camera.has_smaller_input.then_some(Rung { step: Step::SmallerInput, smaller_input: true, ..rung })
        });
    }
    for priority in least_first.clone() {
        levels.add(priority, |camera, rung| {
            let fps = rung.fps.min(OF_KEY_FRAMES);
            (!camera.key_frames_only).then_some(Rung { step: Step::KeyFrames, fps, key_frames_only: true, ..rung })
        });
    }
    for priority in least_first.filter(|priority| Some(*priority) != most) {
        levels.add(priority, |_, rung| Some(Rung { step: Step::Paused, fps: 0.0, ..rung }));
    }
    if let Some(most) = most {
        levels.add(most, |_, rung| {
            let fps = rung.fps.min(OF_COUNTS);
            Some(Rung { step: Step::CountsOnly, fps, key_frames_only: true, ..rung })
        });
        levels.add(most, |_, rung| Some(Rung { step: Step::HealthOnly, fps: 0.0, ..rung }));
    }
    levels.levels
}

struct Levels<'a> {
    cameras: &'a [CameraPlan],
    levels: Vec<Vec<Rung>>,
}

impl Levels<'_> {
    /// Adds a level that changes cameras of this priority; none, when it changes nothing.
    fn add(&mut self, priority: u8, change: impl Fn(&CameraPlan, Rung) -> Option<Rung>) {
        let last = self.levels.last().expect("there is always the first level");
        let next: Vec<Rung> = std::iter::zip(self.cameras, last)
            .map(|(camera, rung)| {
                let changed = if camera.priority == priority { change(camera, *rung) } else { None };
                changed.unwrap_or(*rung)
            })
            .collect();
        if next != *last {
            self.levels.push(next);
        }
    }
}

/// Rates at which cameras are capped, one after the other: half of what the quickest asks, and so on down to `least_fps`.
/// A cap, not a share: what asks for little is not made to pay for what asks for much.
fn caps<'a>(cameras: impl Iterator<Item = &'a CameraPlan>, least_fps: f64) -> Vec<f64> {
    let mut cap = cameras.map(|camera| camera.analyse_fps).fold(0.0, f64::max);
    let mut caps = Vec::new();
    loop {
        let next = (cap / 2.0).max(least_fps);
        if next > cap * WORTH {
            return caps;
        }
        caps.push(next);
        cap = next;
    }
}

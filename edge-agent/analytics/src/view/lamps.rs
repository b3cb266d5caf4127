//! A traffic signal's state from its lamps in the picture.
//!
//! By day the lit lamp is brighter than the others and shows its colour; by night it is the only bright one, often saturated
//! to white with no colour left. So brightness against the other lamps and colour are added up, and the best lamp is
//! believed when it leads clearly. Lamps of light-emitting diodes are dark in some frames (they are switched a hundred times a
//! second): a lamp counts as bright as it was within [`PERSISTS`].
//!
//! # Failure
//! What is not clear for [`FORGETS_AFTER`] (hidden, dark, two lamps alike) is [`SignalState::Unknown`]. Amber that
//! flashes is amber.

use std::collections::VecDeque;
use std::time::Duration;

use crate::id::SignalId;
use crate::scene::{Signal, SignalState};
use crate::time::MediaTime;

/// A lamp is as bright as it was within this long: longer than the beat of a lamp's switching with the camera's shutter.
const PERSISTS: Duration = Duration::from_millis(250);

/// An unclear signal shows what it showed for this long.
const FORGETS_AFTER: Duration = Duration::from_millis(1500);

/// Steps of luma by which the best lamp must lead. Raising it spares lamps that only shine in the sun; it costs far or
/// dirty ones.
const LEAD: f32 = 25.0;

/// Weight of a step of colour beside one of luma: colours of small lamps are thinned by the chroma's half size.
const COLOUR_WEIGHT: f32 = 1.5;

/// A lead that is certain.
const CERTAIN: f32 = 80.0;

/// The mean colour of a lamp's polygon, as coded (0 to 255).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lamp {
    /// Luma.
    pub y: f32,
    /// Blue difference.
    pub u: f32,
    /// Red difference.
    pub v: f32,
}

/// The lamps of one signal in one picture; `None`: it has no such lamp.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lamps {
    /// Stop.
    pub red: Option<Lamp>,
    /// About to change.
    pub amber: Option<Lamp>,
    /// Go.
    pub green: Option<Lamp>,
}

impl Lamps {
    fn each(&self) -> [(SignalState, Option<Lamp>); 3] {
        [(SignalState::Red, self.red), (SignalState::Amber, self.amber), (SignalState::Green, self.green)]
    }
}

/// How much a lamp shows the colour it should.
fn colour(state: SignalState, lamp: Lamp) -> f32 {
    let (u, v) = (lamp.u - 128.0, lamp.v - 128.0);
    match state {
        SignalState::Red => v - u.max(0.0),
        SignalState::Amber => (v - u) / 2.0,
        // Often bluish.
        SignalState::Green => -v,
        SignalState::Unknown => 0.0,
    }
}

/// One signal's reader.
#[derive(Debug)]
struct Reader {
    id: SignalId,
    /// Scores by lamp of the last moments.
    recent: VecDeque<(MediaTime, [Option<f32>; 3])>,
    state: SignalState,
    since: MediaTime,
    /// Since when another state than `state` leads, in single pictures.
    leads: Option<(SignalState, MediaTime)>,
    /// When the state was last clear.
    clear: Option<MediaTime>,
    confidence: f32,
}

impl Reader {
    fn new(id: SignalId) -> Self {
        Self {
            id,
            recent: VecDeque::new(),
            state: SignalState::Unknown,
            since: MediaTime::ZERO,
            leads: None,
            clear: None,
            confidence: 0.0,
        }
    }

    fn read(&mut self, lamps: &Lamps, at: MediaTime) {
        let each = lamps.each();
        let score = |(index, (state, lamp)): (usize, &(SignalState, Option<Lamp>))| {
            let lamp = (*lamp)?;
            let others = each.iter().enumerate().filter(|(other, _)| *other != index);
            let darkest = others.filter_map(|(_, (_, other))| other.map(|other| other.y)).fold(f32::MAX, f32::min);
            Some((lamp.y - darkest.min(lamp.y)) + COLOUR_WEIGHT * colour(*state, lamp))
        };
        let mut scores = [None; 3];
        for (index, entry) in each.iter().enumerate() {
            scores[index] = score((index, entry));
        }
        self.note_lead(best(&scores), at);
        self.recent.push_back((at, scores));
        while self.recent.front().is_some_and(|(then, _)| at.since(*then) > PERSISTS) {
            self.recent.pop_front();
        }
        let peak = |index: usize| self.recent.iter().filter_map(|(_, scores)| scores[index]).reduce(f32::max);
        match best(&[peak(0), peak(1), peak(2)]) {
            Some((state, lead)) => {
                self.clear = Some(at);
                self.confidence = (lead / CERTAIN).min(1.0);
                self.show(state, at);
            }
            None if self.clear.is_none_or(|clear| at.since(clear) > FORGETS_AFTER) => {
                self.confidence = 0.0;
                self.show(SignalState::Unknown, at);
            }
            None => {}
        }
    }

    fn note_lead(&mut self, best: Option<(SignalState, f32)>, at: MediaTime) {
        let Some((state, _)) = best else { return };
        if self.leads.is_none_or(|(leader, _)| leader != state) {
            self.leads = Some((state, at));
        }
    }

    fn show(&mut self, state: SignalState, at: MediaTime) {
        if self.state != state {
            self.state = state;
            self.since = self.leads.filter(|(leader, _)| *leader == state).map_or(at, |(_, since)| since);
        }
    }
}

/// The lamp that leads, and by how much.
fn best(scores: &[Option<f32>; 3]) -> Option<(SignalState, f32)> {
    let states = [SignalState::Red, SignalState::Amber, SignalState::Green];
    let mut ranked: Vec<(f32, SignalState)> =
        std::iter::zip(scores, states).filter_map(|(score, state)| score.map(|score| (score, state))).collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    match ranked[..] {
        [(first, state), (second, _), ..] if first - second >= LEAD => Some((state, first - second)),
        _ => None,
    }
}

/// The readers of one camera's signals.
#[derive(Debug, Default)]
pub struct Signals {
    readers: Vec<Reader>,
}

impl Signals {
    /// Readers of these signals.
    #[must_use]
    pub fn new(ids: impl IntoIterator<Item = SignalId>) -> Self {
        let mut readers: Vec<Reader> = ids.into_iter().map(Reader::new).collect();
        readers.sort_by(|a, b| a.id.cmp(&b.id));
        Self { readers }
    }

    /// Takes the lamps seen in one picture; a signal that is not among them is not seen. What each shows, by id.
    pub fn read(&mut self, seen: &[(SignalId, Lamps)], at: MediaTime) -> Vec<Signal> {
        for reader in &mut self.readers {
            let lamps = seen.iter().find(|(id, _)| *id == reader.id).map_or(Lamps::default(), |(_, lamps)| *lamps);
            reader.read(&lamps, at);
        }
        let signal = |reader: &Reader| Signal {
            id: reader.id.clone(),
            state: reader.state,
            since: reader.since,
            confidence: reader.confidence,
        };
        self.readers.iter().map(signal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u64; 5] = [5, 10, 15, 25, 30];

    #[derive(Clone, Copy, Debug)]
    enum Light {
        Day,
        Night,
        Sun,
    }

    /// A lamp as a camera shows it.
    fn lamp(state: SignalState, lit: bool, light: Light) -> Lamp {
        let (u, v) = match state {
            SignalState::Red => (110.0, 175.0),
            SignalState::Amber => (80.0, 160.0),
            SignalState::Green => (135.0, 95.0),
            SignalState::Unknown => (128.0, 128.0),
        };
        match (light, lit) {
            (Light::Day, true) => Lamp { y: 140.0, u, v },
            // The glass is coloured by day too.
            (Light::Day, false) => Lamp { y: 70.0, u: 128.0 + (u - 128.0) / 4.0, v: 128.0 + (v - 128.0) / 4.0 },
            (Light::Night, true) => Lamp { y: 225.0, u: 128.0, v: 129.0 },
            (Light::Night, false) => Lamp { y: 25.0, u: 128.0, v: 128.0 },
            (Light::Sun, true) => Lamp { y: 200.0, u, v },
            (Light::Sun, false) => Lamp { y: 180.0, u: 128.0 + (u - 128.0) / 3.0, v: 128.0 + (v - 128.0) / 3.0 },
        }
    }

    fn lamps(lit: Option<SignalState>, light: Light) -> Lamps {
        let of = |state| Some(lamp(state, lit == Some(state), light));
        Lamps { red: of(SignalState::Red), amber: of(SignalState::Amber), green: of(SignalState::Green) }
    }

    /// What the signal shows at each second's end; `dark` frames are caught while the lamp is switched off.
    fn shown(
        fps: u64,
        seconds: u64,
        light: Light,
        lit: impl Fn(f64) -> Option<SignalState>,
    ) -> Vec<(SignalState, f64)> {
        let id = SignalId::new("main").expect("id");
        let mut signals = Signals::new([id.clone()]);
        let mut shown = Vec::new();
        for frame in 0..seconds * fps {
            let t = frame as f64 / fps as f64;
            let at = MediaTime::from_nanos(frame * 1_000_000_000 / fps);
            let read = signals.read(&[(id.clone(), lamps(lit(t), light))], at);
            if (frame + 1) % fps == 0 {
                shown.push((read[0].state, read[0].since.as_secs_f64()));
            }
        }
        shown
    }

    fn cycle(t: f64) -> Option<SignalState> {
        Some(match t {
            t if t < 10.0 => SignalState::Red,
            t if t < 20.0 => SignalState::Green,
            t if t < 23.0 => SignalState::Amber,
            _ => SignalState::Red,
        })
    }

    #[test]
    fn a_signal_is_read_by_day_by_night_and_against_the_sun() {
        for (fps, light) in RATES.into_iter().flat_map(|fps| [Light::Day, Light::Night, Light::Sun].map(|l| (fps, l))) {
            let shown = shown(fps, 30, light, cycle);
            for second in [5, 15, 21, 28] {
                let expected = cycle(second as f64).expect("lit");
                assert_eq!(shown[second].0, expected, "{light:?} at {fps} fps, second {second}");
            }
            let since: Vec<f64> = [5, 15, 21, 28].map(|second| shown[second].1).into();
            assert!(std::iter::zip(&since, [0.0, 10.0, 20.0, 23.0]).all(|(a, b)| (a - b).abs() < 0.25), "{since:?}");
        }
    }

    #[test]
    fn a_lamp_that_flickers_is_lit() {
        // Half of the frames fall into its dark half, one after the other or by turns.
        for fps in RATES {
            let shown = shown(fps, 30, Light::Night, |t| cycle(t).filter(|_| (t * 3.1).fract() < 0.6));
            for second in [5, 15, 28] {
                assert_eq!(Some(shown[second].0), cycle(second as f64), "at {fps} fps, second {second}");
            }
        }
    }

    #[test]
    fn a_signal_that_is_dark_or_hidden_is_unknown_after_a_moment() {
        for fps in RATES {
            let shown = shown(fps, 20, Light::Day, |t| (t < 10.0).then_some(SignalState::Red));
            assert_eq!((shown[10].0, shown[13].0), (SignalState::Red, SignalState::Unknown), "at {fps} fps");
        }
        let id = SignalId::new("main").expect("id");
        let mut signals = Signals::new([id]);
        assert_eq!(signals.read(&[], MediaTime::ZERO)[0].state, SignalState::Unknown, "no lamps were seen");
    }

    #[test]
    fn a_clear_lamp_is_more_certain_than_a_faint_one() {
        let id = SignalId::new("main").expect("id");
        let mut certain = Signals::new([id.clone()]);
        let certain = &certain.read(&[(id.clone(), lamps(Some(SignalState::Red), Light::Night))], MediaTime::ZERO)[0];
        let mut faint = Signals::new([id.clone()]);
        let mut seen = lamps(Some(SignalState::Red), Light::Night);
        seen.red = seen.red.map(|lamp| Lamp { y: 60.0, ..lamp });
        let faint = &faint.read(&[(id, seen)], MediaTime::ZERO)[0];
        assert!(certain.confidence >= 1.0 && (0.2..0.8).contains(&faint.confidence), "{faint:?}");
    }
}

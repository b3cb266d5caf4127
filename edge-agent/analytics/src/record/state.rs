//! What of a scene is not its tracks and decides over its rules: written where it changes.

use super::{Damaged, Playback, micros, signed, unsigned};
use crate::id::SignalId;
use crate::scene::{Scene, Signal, SignalState};
use crate::time::MediaTime;
use crate::view::{Placement, Shift};

/// More signals than this are damage.
const MOST_SIGNALS: u64 = 64;

const STATES: [SignalState; 4] = [SignalState::Unknown, SignalState::Green, SignalState::Amber, SignalState::Red];

/// The traffic signals, and where zones and lines are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    placement: Placement,
    moved_since: Option<MediaTime>,
    signals: Vec<Signal>,
}

impl State {
    pub(super) fn of(scene: &Scene) -> Self {
        let signal = |signal: &Signal| match signal.state {
            // When it was last not known is of no use to a rule, and changes with every scene.
            SignalState::Unknown => Signal { since: MediaTime::ZERO, confidence: 0.0, ..signal.clone() },
            SignalState::Green | SignalState::Amber | SignalState::Red => signal.clone(),
        };
        let (placement, moved_since) = (scene.camera.placement, scene.camera.moved_since);
        Self { placement, moved_since, signals: scene.signals.iter().map(signal).collect() }
    }

    /// Whether it is worth writing anew; how sure a signal is wavers with every scene.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let of = |signal: &Signal| (signal.id.clone(), signal.state, signal.since);
        (self.placement, self.moved_since) != (other.placement, other.moved_since)
            || !self.signals.iter().map(of).eq(other.signals.iter().map(of))
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        match self.placement {
            Placement::Home => bytes.push(0),
            Placement::Unsure => bytes.push(1),
            Placement::Lost => bytes.push(2),
            Placement::Shifted(shift) => {
                bytes.push(3);
                [shift.dx, shift.dy].iter().for_each(|by| bytes.extend(by.to_le_bytes()));
            }
        }
        unsigned(bytes, self.moved_since.map_or(0, |since| micros(since).unsigned_abs() + 1));
        unsigned(bytes, self.signals.len() as u64);
        for signal in &self.signals {
            let id = signal.id.as_str().as_bytes();
            unsigned(bytes, id.len() as u64);
            bytes.extend(id);
            bytes.push(STATES.iter().position(|state| *state == signal.state).unwrap_or(0) as u8);
            signed(bytes, micros(signal.since));
            bytes.push((signal.confidence.clamp(0.0, 1.0) * 255.0).round() as u8);
        }
    }

    pub(super) fn read(from: &mut Playback<'_>) -> Result<Self, Damaged> {
        let placement = match from.byte()? {
            0 => Placement::Home,
            1 => Placement::Unsure,
            2 => Placement::Lost,
            3 => Placement::Shifted(Shift { dx: fraction(from)?, dy: fraction(from)? }),
            _ => return Err(from.damaged()),
        };
        let moved_since = match from.unsigned()? {
            0 => None,
            since => Some(time(from, since - 1)?),
        };
        let count = from.unsigned()?;
        if count > MOST_SIGNALS {
            return Err(from.damaged());
        }
        let signals = (0..count).map(|_| signal(from)).collect::<Result<_, _>>()?;
        Ok(Self { placement, moved_since, signals })
    }

    pub(super) fn set(&self, scene: &mut Scene) {
        (scene.camera.placement, scene.camera.moved_since) = (self.placement, self.moved_since);
        scene.signals.clone_from(&self.signals);
    }
}

fn signal(from: &mut Playback<'_>) -> Result<Signal, Damaged> {
    let length = from.unsigned()?;
    let mut id = Vec::new();
    for _ in 0..length.min(64) {
        id.push(from.byte()?);
    }
    let id = String::from_utf8(id).ok().and_then(|id| SignalId::new(&id).ok()).ok_or(from.damaged())?;
    let state = STATES.get(usize::from(from.byte()?)).copied().ok_or(from.damaged())?;
    let since = from.signed()?;
    let since = time(from, u64::try_from(since).map_err(|_| from.damaged())?)?;
    Ok(Signal { id, state, since, confidence: f32::from(from.byte()?) / 255.0 })
}

fn time(from: &Playback<'_>, micros: u64) -> Result<MediaTime, Damaged> {
    micros.checked_mul(1000).map(MediaTime::from_nanos).ok_or(from.damaged())
}

/// A part of the picture, no further than the picture is wide.
fn fraction(from: &mut Playback<'_>) -> Result<f32, Damaged> {
    let mut bytes = [0; 4];
    for byte in &mut bytes {
        *byte = from.byte()?;
    }
    let by = f32::from_le_bytes(bytes);
    if (-1.0..=1.0).contains(&by) { Ok(by) } else { Err(from.damaged()) }
}

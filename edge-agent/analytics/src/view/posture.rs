//! Whether a camera still looks where it looked when its zones were drawn.

use std::time::Duration;

use super::{Blemish, Shift, Sight};
use crate::time::MediaTime;

/// It has returned when its view was the old one for this long.
const RETURNS_AFTER: Duration = Duration::from_secs(3);

/// Weight of a new shift in the mean of those before.
const SETTLE: f32 = 0.2;

/// Where zones and lines are in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Placement {
    /// Where they were drawn.
    #[default]
    Home,
    /// Perhaps not where they were drawn: nothing is judged that depends on them, and nothing ends.
    Unsure,
    /// A little further: what is seen is judged as if moved back by this.
    Shifted(Shift),
    /// Nowhere that is known: rules with a place are suspended.
    Lost,
}

impl Placement {
    /// By how much everything is off; nothing unless it is [`Placement::Shifted`].
    #[must_use]
    pub fn shift(self) -> Shift {
        match self {
            Self::Shifted(shift) => shift,
            Self::Home | Self::Unsure | Self::Lost => Shift::default(),
        }
    }
}

/// Follows a camera's views.
#[derive(Debug)]
pub struct Posture {
    /// A view must be another for this long.
    hold: Duration,
    /// Shifts up to this share of the picture are followed.
    follow: f64,
    placement: Placement,
    /// Since when the view is another.
    moved: Option<MediaTime>,
    /// Since when it is the old one again.
    returned: Option<MediaTime>,
    shift: Option<Shift>,
}

impl Posture {
    /// Shifts up to this share of the picture are followed. Raising it keeps rules working after a harder knock; it costs
    /// truth: perspective changes with the view, and what was at the edge of the picture is gone.
    pub const FOLLOW: f64 = 0.05;

    /// At home.
    #[must_use]
    pub fn new(hold: Duration) -> Self {
        Self { hold, follow: Self::FOLLOW, placement: Placement::Home, moved: None, returned: None, shift: None }
    }

    /// Since when the view is another, while it is taken for that.
    #[must_use]
    pub fn moved_since(&self) -> Option<MediaTime> {
        self.moved.filter(|_| matches!(self.placement, Placement::Shifted(_) | Placement::Lost))
    }

    /// As of the last view.
    #[must_use]
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Takes one view.
    pub fn take(&mut self, sight: &Sight, at: MediaTime) -> Placement {
        let shift = sight.against.and_then(|against| against.shift);
        match sight.blemish() {
            Some(Blemish::Moved) => self.see_moved(shift, at),
            // Nothing is seen of the place: neither moved nor returned.
            Some(Blemish::Covered | Blemish::Dark | Blemish::Glare) => {}
            Some(Blemish::Blurred) | None if sight.against.is_none() => {}
            Some(Blemish::Blurred) | None => self.see_home(at),
        }
        self.placement
    }

    fn see_moved(&mut self, shift: Option<Shift>, at: MediaTime) {
        self.returned = None;
        let since = *self.moved.get_or_insert(at);
        self.shift = match (self.shift, shift) {
            (Some(mean), Some(now)) => {
                Some(Shift { dx: mean.dx + (now.dx - mean.dx) * SETTLE, dy: mean.dy + (now.dy - mean.dy) * SETTLE })
            }
            (_, now) => now,
        };
        self.placement = match self.shift {
            _ if at.since(since) < self.hold && matches!(self.placement, Placement::Home | Placement::Unsure) => {
                Placement::Unsure
            }
            Some(shift) if shift.size() <= self.follow => Placement::Shifted(shift),
            _ => Placement::Lost,
        };
    }

    fn see_home(&mut self, at: MediaTime) {
        // A mast that sways comes back again and again.
        let is_confirmed = !matches!(self.placement, Placement::Home | Placement::Unsure);
        let returned = *self.returned.get_or_insert(at);
        if !is_confirmed || at.since(returned) >= RETURNS_AFTER {
            (self.placement, self.moved, self.returned, self.shift) = (Placement::Home, None, None, None);
        }
    }
}

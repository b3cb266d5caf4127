//! What is judged from the picture itself: whether a camera still sees its place, and sees it well.
//!
//! The core is given no planes but a [`GrayView`], a small grey picture taken about twice a second ([`Shrinker`] makes it).
//! The [`Eye`] compares it with what the camera has been showing, one [`Reference`](reference::Reference) a mode (colour,
//! and the black-and-white of an infrared camera at night), and says what it sees: a [`Sight`]. From that the [`Posture`]
//! follows, which says whether zones and lines still are where they were drawn.
//!
//! # Method
//! The static structure of a place is the mean over time of its signed brightness gradients: what moves, and noise,
//! averages out. A block of 8×8 pixels *agrees* while its gradients correlate with the reference's (normalised, so that
//! light and gain cancel out). Blocks without structure (sky, plain road) say nothing and are not asked.
//!
//! # Invariants
//! - All time is media time; a reference adapts by time, not by looks.
//! - A reference learns only from pictures in which nothing is wrong, so that a cover or a shift is not learnt.
//!
//! # Failure
//! A picture with too little structure (an empty night road) is not compared: [`Sight::against`] is `None`, and only dark
//! and frozen can be said of it. What was wrong before the start is the reference and not seen.

mod background;
mod eye;
mod lamps;
mod posture;
mod reference;
mod region;
mod shift;
mod shrink;
mod still;

use std::time::Duration;

use crate::geometry::{BBox, Point};

pub use eye::Eye;
pub use lamps::{Lamp, Lamps, Signals};
pub use posture::{Placement, Posture};
pub use region::Nature;
pub use shrink::{Shrinker, VIEW_WIDTH};
pub use still::{Still, StillId, Stillness};

/// A picture, small and grey.
#[derive(Debug, Clone, Copy)]
pub struct GrayView<'a> {
    /// In pixels; at most [`VIEW_WIDTH`].
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Mean luma as coded, row by row.
    pub pixels: &'a [u8],
    /// Of each pixel, the mean square of the difference of horizontal neighbours in the full picture, times
    /// [`DETAIL_SCALE`](Self::DETAIL_SCALE): what blur takes away first.
    pub detail: &'a [u16],
    /// Mean distance of U and V from grey: about zero in black and white.
    pub chroma: f32,
    /// Of the full picture's luma: the same only when the picture is the same, bit by bit.
    pub digest: u64,
}

impl GrayView<'_> {
    /// Steps of `detail` in one square of a luma step.
    pub const DETAIL_SCALE: u32 = 16;
}

/// How far a picture is from where it was, in fractions of its width and height.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shift {
    /// To the right.
    pub dx: f32,
    /// Down.
    pub dy: f32,
}

impl Shift {
    /// The larger of the two, as a share of the picture.
    #[must_use]
    pub fn size(self) -> f64 {
        f64::from(self.dx.abs().max(self.dy.abs()))
    }

    /// Where a point would be without it.
    #[must_use]
    pub fn back(self, point: Point) -> Point {
        Point::new(point.x - self.dx, point.y - self.dy)
    }

    /// Where a box would be without it.
    #[must_use]
    pub fn back_box(self, bbox: BBox) -> BBox {
        let (left, right) = (bbox.left() - self.dx, bbox.right() - self.dx);
        let (top, bottom) = (bbox.top() - self.dy, bbox.bottom() - self.dy);
        BBox::new(left, top, right, bottom).unwrap_or(bbox)
    }
}

/// A picture beside its reference. Shares are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Against {
    /// Blocks with structure that no longer show it, of all that have structure.
    pub lost: f64,
    /// Strength of the gradients where there was structure, over that of the reference.
    pub texture: f64,
    /// Blocks that lost their fine detail and kept their coarse contrast, of those that agree.
    pub blurred: f64,
    /// Where the place is found instead; `None`: where it was, or nowhere.
    pub shift: Option<Shift>,
}

/// What is wrong with a picture; one thing at a time, the most certain first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blemish {
    /// Something is before the lens.
    Covered,
    /// Too dark to see.
    Dark,
    /// Blinded.
    Glare,
    /// Another view.
    Moved,
    /// Out of focus.
    Blurred,
}

/// What a view shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Share of the picture that is nearly black.
    pub dark: f64,
    /// It went dark within moments: a cover, not nightfall.
    pub blackout: bool,
    /// Share of the picture that is saturated and was not in the reference.
    pub glare: f64,
    /// For how long the picture has been the same, bit by bit.
    pub same_for: Duration,
    /// Beside the reference; `None` without one, or with too little structure in it.
    pub against: Option<Against>,
}

impl Sight {
    /// Share of the picture that must be nearly black. Raising it costs pictures with a lamp left in them.
    pub const DARK: f64 = 0.95;
    /// Share of the picture that must be newly saturated. Raising it spares a low sun at the edge.
    pub const GLARE: f64 = 0.35;
    /// Share of the structure that must be gone. Raising it spares large vehicles that stand before the camera; it costs
    /// covers that leave a strip open.
    pub const LOST: f64 = 0.75;
    /// With at most this share of its gradients' strength left it is covered, with more it is another view.
    pub const TEXTURE: f64 = 0.4;
    /// Share of the agreeing blocks that must have lost their detail. Raising it spares rain on a part of the glass.
    pub const BLURRED: f64 = 0.7;
    /// The least shift, as a share of the picture; a smaller one is within the error of a box's anchor. Raising it spares masts
    /// that sway and settle.
    pub const SHIFT: f64 = 0.025;

    /// What is wrong with it.
    #[must_use]
    pub fn blemish(&self) -> Option<Blemish> {
        if self.blackout {
            return Some(Blemish::Covered);
        }
        if self.dark >= Self::DARK {
            return Some(Blemish::Dark);
        }
        if self.glare >= Self::GLARE {
            return Some(Blemish::Glare);
        }
        let against = self.against?;
        if against.shift.is_some() {
            return Some(Blemish::Moved);
        }
        if against.lost >= Self::LOST {
            return Some(if against.texture <= Self::TEXTURE { Blemish::Covered } else { Blemish::Moved });
        }
        (against.blurred >= Self::BLURRED).then_some(Blemish::Blurred)
    }
}

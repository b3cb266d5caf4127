//! Which picture an incident is shown on: the full-size stream's, where it has one of that moment and of the same view, and
//! otherwise the one that was analysed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::EvidenceName;
use super::camera::RecordStills;
use super::snapshot::{FULL_WIDTH_PX, WIDTH_PX};
use crate::config::Places;
use crate::crash::NamedThread;
use crate::frame::Picture;
use crate::outbox::Outcome;
use crate::privacy::{Known, Redaction, RedactionError, Shareable};
use crate::publish::wire::{Incident, Shown};
use crate::record::{Pin, StillError, decode_still};

/// For decoding one group of pictures: at most so long the next picture waits.
const LIMIT: Duration = Duration::from_secs(3);

/// A picture this far from the judged one would show things elsewhere than their boxes: a motorcycle at 40 km/h goes three
/// metres meanwhile.
const BESIDE: Duration = Duration::from_millis(300);

/// Columns and rows in which two pictures are compared.
const GRID: (usize, usize) = (32, 24);

/// Correlation of two pictures from which on they are of the same view and moment. On eleven real clips, four moments each:
/// the same frame, smaller, squeezed and blurred, gives 0.997 and more; with a quarter cut off at the sides or above and
/// below, or a tenth around, at most 0.935. A frame 300 ms later gives 0.93 to 1.0 of roads seen from afar, and much less where
/// something large moves close by: then the analysed picture is the better one anyway.
const SAME_VIEW: f32 = 0.95;

/// A picture to be made.
#[derive(Debug)]
pub(super) struct PictureJob {
    pub(super) event: Incident,
    pub(super) name: EvidenceName,
    /// What was judged.
    pub(super) picture: Arc<Picture>,
    pub(super) places: Arc<Places>,
    /// What is done to it before it is kept.
    pub(super) redaction: Redaction,
    /// What was seen in it, or is expected there.
    pub(super) known: Vec<Known>,
    /// The same moment in the full-size stream.
    pub(super) record: Option<RecordMoment>,
    /// Who asked for it; `None`: it is an incident's, and settled with the outbox.
    pub(super) asked: Option<oneshot::Sender<Outcome>>,
}

/// A moment of the full-size stream, held until it is looked at.
#[derive(Debug)]
pub(super) struct RecordMoment {
    record: Arc<RecordStills>,
    pin: Pin,
    at: Instant,
}

/// Why the full-size stream's picture is not used.
#[derive(Debug, thiserror::Error)]
enum NotUsed {
    #[error("the record stream does not show this moment")]
    NoStream,
    #[error("its nearest picture is {0} ms away")]
    Beside(i128),
    #[error(transparent)]
    Decode(#[from] StillError),
    #[error("the two streams do not show the same view (likeness {0:.2}); boxes would be drawn in the wrong place")]
    OtherView(f32),
}

impl RecordMoment {
    pub(super) fn new(record: Arc<RecordStills>, at: Instant) -> Self {
        let pin = record.ring.pin(at.checked_sub(BESIDE).unwrap_or(at));
        Self { record, pin, at }
    }

    fn look(&self, judged: &Picture, camera: &str) -> Result<(Picture, Shown), NotUsed> {
        let cut = self.pin.ring().still(self.at).ok_or(NotUsed::NoStream)?;
        let nearest = cut.units.last().ok_or(NotUsed::NoStream)?;
        let beside_ms = signed_ms(nearest.arrived_at, self.at);
        if beside_ms.unsigned_abs() > BESIDE.as_millis() {
            return Err(NotUsed::Beside(beside_ms));
        }
        let _named = NamedThread::of(camera);
        let still = decode_still(&cut, &self.record.masks, &self.record.h264, &self.record.h265, LIMIT)?;
        let likeness = likeness(judged, &still.picture);
        if likeness < SAME_VIEW {
            return Err(NotUsed::OtherView(likeness));
        }
        let at = still.captured_at.into();
        Ok((still.picture, Shown { is_record: true, from: at, to: at }))
    }
}

fn signed_ms(a: Instant, b: Instant) -> i128 {
    let ms = |duration: Duration| i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
    ms(a.saturating_duration_since(b)) - ms(b.saturating_duration_since(a))
}

impl PictureJob {
    /// The picture to draw on, at most so wide, and what it is.
    ///
    /// # Errors
    /// [`RedactionError`]: nobody may see it.
    pub(super) fn shareable(&self) -> Result<(Shareable, Shown), RedactionError> {
        let (picture, shown) = self.best();
        let (width_px, within) = if shown.is_record { (FULL_WIDTH_PX, BESIDE) } else { (WIDTH_PX, Duration::ZERO) };
        Ok((self.redaction.share(&picture, width_px, &self.known, within)?, shown))
    }

    fn best(&self) -> (Arc<Picture>, Shown) {
        let (incident, camera) = (self.event.data.incident_id, &self.event.data.camera.id);
        match self.record.as_ref().map(|record| record.look(&self.picture, camera)) {
            Some(Ok((picture, shown))) => return (Arc::new(picture), shown),
            Some(Err(why)) => {
                tracing::warn!(camera, %incident, %why, "no full-size picture; the analysed one is taken");
            }
            None => {}
        }
        let at = self.event.time;
        (Arc::clone(&self.picture), Shown { is_record: false, from: at, to: at })
    }
}

/// Correlation of the two pictures' luma, however large each is: 1 for the same, about 0 for any two. Flat pictures are like
/// nothing. What is masked in `a`, as in `b`, says nothing.
fn likeness(a: &Picture, b: &Picture) -> f32 {
    let masked = a.masks().cells(GRID.0, GRID.1);
    let [a, b] = [a, b].map(|picture| grid(picture, &masked));
    let product = |a: &[f32], b: &[f32]| std::iter::zip(a, b).map(|(a, b)| a * b).sum::<f32>();
    let norm = (product(&a, &a) * product(&b, &b)).sqrt();
    if norm > f32::EPSILON { product(&a, &b) / norm } else { 0.0 }
}

/// Luma averaged over the boxes that are not masked, less its mean.
fn grid(picture: &Picture, masked: &[bool]) -> Vec<f32> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let span = |index: usize, of: usize, size: usize| {
        (index * size / of)..((index + 1) * size / of).max(index * size / of + 1)
    };
    let mut boxes = Vec::with_capacity(GRID.0 * GRID.1);
    for row in 0..GRID.1 {
        for column in (0..GRID.0).filter(|column| !masked[row * GRID.0 + column]) {
            let (xs, ys) = (span(column, GRID.0, width), span(row, GRID.1, height));
            let rows = ys.filter(|y| *y < height).map(|y| &picture.row(0, y)[xs.start.min(width)..xs.end.min(width)]);
            let (sum, count) = rows.fold((0_u64, 0_usize), |(sum, count), row| {
                (sum + row.iter().map(|luma| u64::from(*luma)).sum::<u64>(), count + row.len())
            });
            boxes.push(sum as f32 / count.max(1) as f32);
        }
    }
    let mean = boxes.iter().sum::<f32>() / boxes.len() as f32;
    boxes.iter_mut().for_each(|level| *level -= mean);
    boxes
}

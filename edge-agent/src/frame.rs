//! A frame: where and when it was taken, and its picture as decoded (I420 or NV12, never converted on the way).
//!
//! # Ownership
//! A [`Frame`] is owned by one place at a time: the source's thread, its camera's [`FrameSlot`], one inference worker.
//! Its pixels are never mutated.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use analytics::FrameStamp;

use crate::privacy::{Masks, Painted};

/// How chroma is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// Three planes: Y, U, V; chroma at half width and height, rounded up.
    I420,
    /// Two planes: Y, and U and V interleaved.
    Nv12,
}

/// The matrix from Y'CbCr to R'G'B'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
}

/// The range of the coded values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Y in 16..=235, chroma in 16..=240.
    Limited,
    /// 0..=255.
    Full,
}

/// How coded values become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colorimetry {
    /// The matrix.
    pub matrix: Matrix,
    /// The range.
    pub range: Range,
}

/// Y'CbCr of 0 to 255 → R'G'B' of 0 to 255 (ITU-R BT.601, BT.709): `red = luma·y + red_v·v + bias[0]` and so on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RgbFromYuv {
    /// Of Y, in each colour.
    pub luma: f64,
    /// Of V in red.
    pub red_v: f64,
    /// Of U in green.
    pub green_u: f64,
    /// Of V in green.
    pub green_v: f64,
    /// Of U in blue.
    pub blue_u: f64,
    /// Red, green, blue.
    pub bias: [f64; 3],
}

impl RgbFromYuv {
    /// The coefficients.
    #[must_use]
    pub fn new(Colorimetry { matrix, range }: Colorimetry) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let (black, luma, chroma) = match range {
            Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
            Range::Full => (0.0, 1.0, 1.0),
        };
        let kg = 1.0 - kr - kb;
        let red_v = 2.0 * (1.0 - kr) * chroma;
        let blue_u = 2.0 * (1.0 - kb) * chroma;
        let green_u = -blue_u * kb / kg;
        let green_v = -red_v * kr / kg;
        let grey = -black * luma;
        let bias = [grey - 128.0 * red_v, grey - 128.0 * (green_u + green_v), grey - 128.0 * blue_u];
        Self { luma, red_v, green_u, green_v, blue_u, bias }
    }
}

/// Where a plane lies in the picture's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaneLayout {
    /// Of the first byte.
    pub offset: usize,
    /// Bytes from one row to the next; at least the row's own bytes.
    pub stride: usize,
}

/// What a [`Picture`] is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLayout {
    /// In pixels; may be odd.
    pub width: u32,
    /// In pixels; may be odd.
    pub height: u32,
    /// Chroma layout.
    pub format: PixelFormat,
    /// Colours.
    pub colorimetry: Colorimetry,
    /// Y, U, V for I420; Y, UV for NV12 (the third is not looked at).
    pub planes: [PlaneLayout; 3],
}

/// A layout that does not fit its data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {width}x{height} picture does not fit its data: plane {plane} needs {needed} bytes, there are {available}")]
pub struct InvalidPicture {
    width: u32,
    height: u32,
    plane: usize,
    needed: usize,
    available: usize,
}

/// A picture's bytes. A trait because some are made only when somebody looks: eight bits out of ten.
#[expect(clippy::len_without_is_empty, reason = "no picture is empty")]
pub trait Pixels: Send + Sync {
    /// How many there are; known without making them.
    fn len(&self) -> usize;

    /// The bytes, always the same ones.
    fn bytes(&self) -> &[u8];
}

impl<T: AsRef<[u8]> + Send + Sync> Pixels for T {
    fn len(&self) -> usize {
        self.as_ref().len()
    }

    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }
}

/// Pixels as decoded, but for what its camera's masks hide. Every row of every plane lies within the data, by construction.
pub struct Picture {
    layout: PictureLayout,
    data: Box<dyn Pixels>,
    masks: Masks,
    /// Made at the first look.
    painted: OnceLock<Painted>,
}

impl Picture {
    /// Takes the data; refuses a layout that reaches beyond it or has no pixels.
    pub fn new(layout: PictureLayout, data: Box<dyn Pixels>) -> Result<Self, InvalidPicture> {
        let available = data.len();
        for plane in 0..layout.plane_count() {
            let (row_bytes, rows) = layout.plane_size(plane);
            let PlaneLayout { offset, stride } = layout.planes[plane];
            let needed = stride
                .checked_mul(rows.saturating_sub(1))
                .and_then(|bytes| bytes.checked_add(offset)?.checked_add(row_bytes))
                .unwrap_or(usize::MAX);
            if rows == 0 || row_bytes == 0 || stride < row_bytes || needed > available {
                let PictureLayout { width, height, .. } = layout;
                return Err(InvalidPicture { width, height, plane, needed, available });
            }
        }
        Ok(Self { layout, data, masks: Masks::default(), painted: OnceLock::new() })
    }

    /// The same, seen through masks, from the first look on: its data is not touched.
    #[must_use]
    pub fn masked(self, masks: &Masks) -> Self {
        Self { masks: masks.clone(), painted: OnceLock::new(), ..self }
    }

    /// What hides parts of it.
    #[must_use]
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Size, format, colours, planes.
    #[must_use]
    pub fn layout(&self) -> &PictureLayout {
        &self.layout
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.layout.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.layout.height
    }

    /// Width over height.
    #[must_use]
    pub fn aspect(&self) -> f32 {
        self.layout.width as f32 / self.layout.height as f32
    }

    /// Row `y` of plane `plane`: just its own bytes, without the padding of the stride. The only way to a pixel.
    ///
    /// # Panics
    /// When the plane or the row does not exist.
    #[must_use]
    pub fn row(&self, plane: usize, y: usize) -> &[u8] {
        if self.masks.is_empty() {
            return self.row_of_data(plane, y);
        }
        let paint = || self.masks.paint(&self.layout, |plane, y| self.row_of_data(plane, y));
        self.painted.get_or_init(paint).row(plane, y).unwrap_or_else(|| self.row_of_data(plane, y))
    }

    fn row_of_data(&self, plane: usize, y: usize) -> &[u8] {
        let (row_bytes, rows) = self.layout.plane_size(plane);
        assert!(y < rows, "row {y} of {rows}");
        let PlaneLayout { offset, stride } = self.layout.planes[plane];
        let start = offset + y * stride;
        &self.data.bytes()[start..start + row_bytes]
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.layout.fmt(f)
    }
}

impl PictureLayout {
    /// Planes of the format.
    #[must_use]
    pub fn plane_count(&self) -> usize {
        match self.format {
            PixelFormat::I420 => 3,
            PixelFormat::Nv12 => 2,
        }
    }

    /// Bytes a row and rows of a plane.
    #[must_use]
    pub fn plane_size(&self, plane: usize) -> (usize, usize) {
        let (width, height) = (self.width as usize, self.height as usize);
        match (self.format, plane) {
            (_, 0) => (width, height),
            (PixelFormat::I420, _) => (width.div_ceil(2), height.div_ceil(2)),
            (PixelFormat::Nv12, _) => (width.div_ceil(2) * 2, height.div_ceil(2)),
        }
    }
}

/// When a frame is analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// When its camera is due, unless a later one replaces it.
    Latest,
    /// At once: it is one of several that are analysed in their order.
    CatchUp,
    /// The same; its picture is the one of the frame before, as nothing had moved.
    Repeat,
}

/// One decoded frame.
#[derive(Debug)]
pub struct Frame {
    /// Where and when.
    pub stamp: FrameStamp,
    /// When it arrived, on this machine's monotonic clock: latency is measured from here.
    pub arrived_at: Instant,
    /// How far the camera's own calendar clock is ahead of the box's, in seconds; `None`: it does not say.
    pub camera_ahead_s: Option<f64>,
    /// How long it was held back because nothing moved: no latency of the box's.
    pub held_for: Duration,
    /// When it is analysed.
    pub turn: Turn,
    /// Its pixels; shared, because evidence of an incident may need them after inference.
    pub picture: Arc<Picture>,
}

/// Tells waiting inference workers that some slot has a fresh frame.
#[derive(Debug, Default)]
pub struct FrameSignal {
    generation: Mutex<u64>,
    changed: Condvar,
}

impl FrameSignal {
    /// Number of the last change; take it *before* looking at the slots.
    #[must_use]
    pub fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that something changed.
    pub fn notify(&self) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits for a change after `seen`, at most until `deadline`.
    pub fn wait(&self, seen: u64, deadline: Option<Instant>) {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        while *generation == seen {
            match deadline {
                None => generation = self.changed.wait(generation).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    (generation, _) =
                        self.changed.wait_timeout(generation, left).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// A live camera's latest frame: a new one replaces one that no worker has taken, and is counted.
#[derive(Debug)]
pub struct FrameSlot {
    latest: Mutex<Option<Frame>>,
    taken: Condvar,
    arrived: AtomicU64,
    replaced: AtomicU64,
    skipped: AtomicU64,
    spared: AtomicU64,
    is_dozing: AtomicBool,
    signal: Arc<FrameSignal>,
}

impl FrameSlot {
    /// An empty slot that wakes the workers waiting on `signal`.
    #[must_use]
    pub fn new(signal: Arc<FrameSignal>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            latest: Mutex::new(None),
            taken: Condvar::new(),
            arrived: zero(),
            replaced: zero(),
            skipped: zero(),
            spared: zero(),
            is_dozing: AtomicBool::new(false),
            signal,
        }
    }

    /// Puts a frame in; drops the one that was there.
    pub fn put(&self, frame: Frame) {
        self.count_arrived();
        self.put_late(frame);
    }

    /// The same of one whose picture was counted when it came.
    pub fn put_late(&self, frame: Frame) {
        let previous = self.latest.lock().unwrap_or_else(PoisonError::into_inner).replace(frame);
        if previous.is_some() {
            // Whoever waits knows of a frame here already.
            self.replaced.fetch_add(1, Ordering::Relaxed);
        } else {
            self.signal.notify();
        }
    }

    /// Counts a picture that was received and not decoded.
    pub fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame that was to be put in and for which there was no room in time.
    pub fn pass_over(&self) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a picture that was decoded.
    pub fn count_arrived(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts pictures that were held back undecoded, and will not be decoded any more.
    pub fn spare(&self, pictures: u64) {
        self.spared.fetch_add(pictures, Ordering::Relaxed);
    }

    /// Says whether its decoder dozes.
    pub fn set_dozing(&self, is_dozing: bool) {
        self.is_dozing.store(is_dozing, Ordering::Relaxed);
    }

    /// Whether its decoder dozes: frames are given late, several at once.
    #[must_use]
    pub fn is_dozing(&self) -> bool {
        self.is_dozing.load(Ordering::Relaxed)
    }

    /// Takes the latest frame out.
    pub fn take(&self) -> Option<Frame> {
        let taken = self.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if taken.is_some() {
            self.taken.notify_all();
        }
        taken
    }

    /// Blocks until no frame waits, or until then; whether none does.
    pub fn wait_until_free(&self, until: Instant) -> bool {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.taken.wait_timeout_while(latest, left, |latest| latest.is_some());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_none()
    }

    /// Whether the frame that waits is to be analysed before its camera is due.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().is_some_and(|frame| frame.turn != Turn::Latest)
    }

    /// Whether a frame waits.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Pictures that were received and not decoded.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Of them, those that were not decoded because nothing moved. One that was held and decoded after all is not counted.
    #[must_use]
    pub fn spared(&self) -> u64 {
        self.spared.load(Ordering::Relaxed)
    }

    /// Pictures that were received, decoded or not.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.arrived() + self.skipped()
    }

    /// Frames that arrived, decoded.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Frames that were replaced before a worker took them, or that came to no free slot in time.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(width: u32, height: u32, format: PixelFormat, planes: [(usize, usize); 3]) -> PictureLayout {
        PictureLayout {
            width,
            height,
            format,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
            planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
        }
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        let i420 = layout(5, 3, PixelFormat::I420, [(0, 8), (24, 4), (32, 4)]);
        assert_eq!([0, 1, 2].map(|plane| i420.plane_size(plane)), [(5, 3), (3, 2), (3, 2)]);
        assert!(Picture::new(i420, Box::new(vec![0; 39])).is_ok(), "the last row needs no padding");
        assert!(Picture::new(i420, Box::new(vec![0; 38])).is_err());
        let nv12 = layout(5, 3, PixelFormat::Nv12, [(0, 8), (24, 8), (0, 0)]);
        assert_eq!(nv12.plane_size(1), (6, 2));
    }

    #[test]
    fn a_stride_narrower_than_a_row_is_refused() {
        let bad = layout(8, 2, PixelFormat::I420, [(0, 7), (16, 4), (20, 4)]);
        assert!(Picture::new(bad, Box::new(vec![0; 64])).is_err());
        let empty = layout(0, 2, PixelFormat::I420, [(0, 8), (16, 4), (20, 4)]);
        assert!(Picture::new(empty, Box::new(vec![0; 64])).is_err());
    }
}

//! The small grey picture that the core judges a camera by, made of a frame now and then.
//!
//! Twice a second of media time, and no more often than frames are analysed: what tampering takes is seconds. Made where
//! the frame is judged, by the same code for the service and for replay; buffers are kept from one to the next.

mod lamps;

use std::time::Duration;

use analytics::view::Shrinker;
use analytics::{GrayView, MediaTime};

pub use lamps::LampReader;

use crate::frame::Picture;

/// A frame this long after the last view gives the next: half a second, with room for timestamps that waver.
const EVERY: Duration = Duration::from_millis(490);

/// Chroma is told from every sixteenth of its rows.
const CHROMA_ROWS: usize = 16;

/// Makes one camera's views.
#[derive(Debug, Default)]
pub struct Viewer {
    shrinker: Shrinker,
    last: Option<MediaTime>,
}

impl Viewer {
    /// A view of this frame's picture, when one is due.
    pub fn view(&mut self, picture: &Picture, at: MediaTime) -> Option<GrayView<'_>> {
        if self.last.is_some_and(|last| at.since(last) < EVERY) {
            return None;
        }
        self.last = Some(at);
        let size = (picture.width() as usize, picture.height() as usize);
        Some(self.shrinker.shrink(size, chroma(picture), |y| picture.row(0, y)))
    }
}

/// Mean distance of U and V from grey.
fn chroma(picture: &Picture) -> f32 {
    let layout = picture.layout();
    let (mut sum, mut count) = (0_u64, 0_usize);
    for plane in 1..layout.plane_count() {
        for y in (0..layout.plane_size(plane).1).step_by(CHROMA_ROWS) {
            let row = picture.row(plane, y);
            sum += u64::from(row.iter().map(|value| u32::from(value.abs_diff(128))).sum::<u32>());
            count += row.len();
        }
    }
    sum as f32 / count.max(1) as f32
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::frame::{Colorimetry, Matrix, PictureLayout, PixelFormat, PlaneLayout, Range};

    pub(crate) fn picture(format: PixelFormat, width: usize, height: usize, u: u8, v: u8) -> Picture {
        let stride = width + 13;
        let mut data: Vec<u8> = vec![255; stride * height];
        (0..height).for_each(|y| data[y * stride..y * stride + width].fill(if y < height / 2 { 40 } else { 200 }));
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let planes = match format {
            PixelFormat::I420 => {
                data.extend(std::iter::repeat_n(u, chroma));
                data.extend(std::iter::repeat_n(v, chroma));
                let half = width.div_ceil(2);
                [(0, stride), (stride * height, half), (stride * height + chroma, half)]
            }
            PixelFormat::Nv12 => {
                data.extend([u, v].repeat(chroma));
                [(0, stride), (stride * height, width.div_ceil(2) * 2), (0, 0)]
            }
        };
        let layout = PictureLayout {
            width: width as u32,
            height: height as u32,
            format,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
            planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
        };
        Picture::new(layout, Box::new(data)).expect("fits")
    }

    #[test]
    fn both_layouts_give_the_same_view() {
        for (width, height) in [(640, 360), (355, 241)] {
            let of = |format| {
                let picture = picture(format, width, height, 120, 140);
                let mut viewer = Viewer::default();
                let view = viewer.view(&picture, MediaTime::ZERO).expect("the first is due");
                (view.width, view.pixels.to_vec(), view.digest, view.chroma)
            };
            let (columns, pixels, digest, chroma) = of(PixelFormat::I420);
            assert_eq!((columns, pixels[0], *pixels.last().expect("pixels")), (160, 40, 200), "padding is no picture");
            assert!((chroma - 10.0).abs() < 1e-3, "{chroma}");
            assert_eq!(of(PixelFormat::Nv12), (columns, pixels, digest, chroma));
        }
    }

    #[test]
    fn a_view_is_made_twice_a_second_at_most() {
        let picture = picture(PixelFormat::I420, 64, 36, 128, 128);
        for fps in [1, 5, 10, 15, 25, 30] {
            let mut viewer = Viewer::default();
            let times = (0..10 * fps).map(|frame| MediaTime::from_nanos(frame * 1_000_000_000 / fps));
            let made = times.filter(|at| viewer.view(&picture, *at).is_some()).count();
            assert!((if fps == 1 { 10..=10 } else { 16..=20 }).contains(&made), "{made} at {fps} fps");
        }
    }
}

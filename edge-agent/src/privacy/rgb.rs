//! From planes as decoded to a picture in RGB, at most so wide.

use image::RgbImage;
use image::imageops::thumbnail;

use crate::frame::{Picture, PixelFormat, RgbFromYuv};

/// Pixels of the longest side: less than JPEG's 65,535, more than any camera gives.
const MAX_SIDE: u32 = 16_384;

/// The picture in colour, reduced (never enlarged) to `max_width_px`.
pub(super) fn rgb(picture: &Picture, max_width_px: u32) -> RgbImage {
    let image = whole(picture);
    let longest = image.width().max(image.height());
    let allowed = (u64::from(image.width()) * u64::from(MAX_SIDE) / u64::from(longest)) as u32;
    shrunk(image, max_width_px.min(allowed))
}

/// Reduced to `max_width_px`; itself, when it is not wider.
pub(crate) fn shrunk(image: RgbImage, max_width_px: u32) -> RgbImage {
    if image.width() <= max_width_px {
        return image;
    }
    let width = max_width_px.max(1);
    let height = u64::from(image.height()) * u64::from(width) / u64::from(image.width());
    thumbnail(&image, width, (height as u32).max(1))
}

/// Every pixel in colour; chroma as of the nearest sample.
fn whole(picture: &Picture) -> RgbImage {
    let layout = picture.layout();
    let convert = Convert::new(RgbFromYuv::new(layout.colorimetry));
    let mut image = RgbImage::new(picture.width(), picture.height());
    for (y, out) in image.chunks_exact_mut(picture.width() as usize * 3).enumerate() {
        let luma = picture.row(0, y);
        let chroma = picture.row(1, y / 2);
        match layout.format {
            PixelFormat::I420 => {
                let v = picture.row(2, y / 2);
                convert.row(luma, out, |x| (chroma[x / 2], v[x / 2]));
            }
            PixelFormat::Nv12 => convert.row(luma, out, |x| (chroma[x / 2 * 2], chroma[x / 2 * 2 + 1])),
        }
    }
    image
}

/// The same in 65,536ths.
struct Convert {
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
    bias: [i32; 3],
}

impl Convert {
    fn new(exact: RgbFromYuv) -> Self {
        let fixed = |value: f64| (value * 65_536.0).round() as i32;
        Self {
            luma: fixed(exact.luma),
            red_v: fixed(exact.red_v),
            green_u: fixed(exact.green_u),
            green_v: fixed(exact.green_v),
            blue_u: fixed(exact.blue_u),
            bias: exact.bias.map(|bias| fixed(bias + 0.5)),
        }
    }

    fn row(&self, luma: &[u8], out: &mut [u8], chroma: impl Fn(usize) -> (u8, u8)) {
        let level = |fixed: i32| (fixed >> 16).clamp(0, 255) as u8;
        for (x, (y, rgb)) in luma.iter().zip(out.chunks_exact_mut(3)).enumerate() {
            let (u, v) = chroma(x);
            let (y, u, v) = (i32::from(*y) * self.luma, i32::from(u), i32::from(v));
            rgb[0] = level(y + v * self.red_v + self.bias[0]);
            rgb[1] = level(y + u * self.green_u + v * self.green_v + self.bias[1]);
            rgb[2] = level(y + u * self.blue_u + self.bias[2]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Colorimetry, Matrix, PictureLayout, PlaneLayout, Range};

    fn flat(format: PixelFormat, matrix: Matrix, range: Range, [y, u, v]: [u8; 3]) -> Picture {
        let (width, height) = (5, 3);
        let planes = match format {
            PixelFormat::I420 => [(0, 8), (24, 4), (32, 4)],
            PixelFormat::Nv12 => [(0, 8), (24, 8), (0, 0)],
        };
        let mut data = vec![y; 24];
        match format {
            PixelFormat::I420 => data.extend([vec![u; 8], vec![v; 8]].concat()),
            PixelFormat::Nv12 => data.extend([u, v].repeat(8)),
        }
        let layout = PictureLayout {
            width,
            height,
            format,
            colorimetry: Colorimetry { matrix, range },
            planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
        };
        Picture::new(layout, Box::new(data)).expect("fits")
    }

    /// Values of the standards' own colour bars (75 %, ITU-R BT.601 and BT.709).
    #[test]
    fn colours_are_those_of_the_standards() {
        let cases = [
            (Matrix::Bt601, Range::Limited, [235, 128, 128], [255, 255, 255]),
            (Matrix::Bt601, Range::Limited, [16, 128, 128], [0, 0, 0]),
            (Matrix::Bt601, Range::Limited, [65, 100, 212], [191, 0, 0]),
            (Matrix::Bt709, Range::Limited, [51, 109, 212], [191, 0, 0]),
            (Matrix::Bt709, Range::Limited, [28, 212, 120], [0, 0, 191]),
            (Matrix::Bt601, Range::Full, [76, 85, 255], [254, 0, 0]),
            (Matrix::Bt601, Range::Full, [128, 128, 128], [128, 128, 128]),
        ];
        for (matrix, range, yuv, expected) in cases {
            for format in [PixelFormat::I420, PixelFormat::Nv12] {
                let image = rgb(&flat(format, matrix, range, yuv), 100);
                for pixel in image.pixels() {
                    let near = pixel.0.iter().zip(expected).all(|(is, should)| is.abs_diff(should) <= 2);
                    assert!(near, "{matrix:?} {range:?} {format:?} {yuv:?}: {pixel:?}, not {expected:?}");
                }
            }
        }
    }
}

//! The pixel work of one tensor, row by row.
//!
//! For each output row two source rows of each plane are blended (all columns at once), the blended row is gathered at
//! the output columns, and one loop interpolates across and turns Y'CbCr into R'G'B' (ITU-R BT.601, BT.709) in f32 planes.
//! It is written for the compiler to vectorise; the values are the same with and without AVX2.

use super::{Axis, Fit};
use crate::detect::manifest::{ColorOrder, Input};
use crate::frame::{Colorimetry, Picture, PixelFormat, RgbFromYuv};

/// Y'CbCr in 256ths → R'G'B' 0..=255 → the network's values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Color {
    luma: f32,
    red_v: f32,
    green_u: f32,
    green_v: f32,
    blue_u: f32,
    /// Red, green, blue.
    bias: [f32; 3],
    /// Red, green, blue.
    gain: [f32; 3],
    /// Red, green, blue.
    shift: [f32; 3],
}

impl Color {
    pub(super) fn new(colorimetry: Colorimetry, input: &Input) -> Self {
        let rgb = RgbFromYuv::new(colorimetry);
        let order = match input.color {
            ColorOrder::Rgb => [0, 1, 2],
            ColorOrder::Bgr => [2, 1, 0],
        };
        let fraction = 1.0 / 256.0;
        Self {
            luma: (rgb.luma * fraction) as f32,
            red_v: (rgb.red_v * fraction) as f32,
            green_u: (rgb.green_u * fraction) as f32,
            green_v: (rgb.green_v * fraction) as f32,
            blue_u: (rgb.blue_u * fraction) as f32,
            bias: rgb.bias.map(|b| b as f32),
            gain: order.map(|c| input.scale / input.std[c]),
            shift: order.map(|c| -input.mean[c] / input.std[c]),
        }
    }
}

/// Rows in work.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Two blended source rows: u16 in 256ths, little-endian.
    blended: Vec<u8>,
    y: Vec<u32>,
    u: Vec<u32>,
    v: Vec<u32>,
}

/// One tensor to fill.
pub(super) struct Job<'a> {
    pub(super) picture: &'a Picture,
    pub(super) fit: &'a Fit,
    pub(super) color: Color,
    pub(super) lanes: &'a mut Lanes,
    /// Red, green, blue.
    pub(super) planes: [&'a mut [f32]; 3],
    /// Values from one row of the tensor to the next.
    pub(super) pitch: usize,
}

impl Job<'_> {
    /// With the widest registers that this CPU has, of those that there is code for.
    pub(super) fn run(self) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: this CPU has AVX2.
            return unsafe { self.run_avx2() };
        }
        self.run_rows();
    }

    /// The same code, with 256-bit registers for the compiler to use.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(self) {
        self.run_rows();
    }

    /// For whatever the compiler may take as given.
    #[inline(always)]
    pub(super) fn run_rows(self) {
        let Self { picture, fit, color, lanes, planes: [red, green, blue], pitch } = self;
        let width = fit.content.width;
        for lane in [&mut lanes.y, &mut lanes.u, &mut lanes.v] {
            lane.resize(width, 0);
        }
        for row in 0..fit.content.height {
            let Lanes { blended, y, u, v } = &mut *lanes;
            blend(picture, 0, (&fit.luma_y, row), &fit.luma_x, 1, blended);
            gather(blended, &fit.luma_x.indices, y);
            match picture.layout().format {
                PixelFormat::I420 => {
                    blend(picture, 1, (&fit.chroma_y, row), &fit.chroma_x, 1, blended);
                    gather(blended, &fit.chroma_x.indices, u);
                    blend(picture, 2, (&fit.chroma_y, row), &fit.chroma_x, 1, blended);
                    gather(blended, &fit.chroma_x.indices, v);
                }
                PixelFormat::Nv12 => {
                    blend(picture, 1, (&fit.chroma_y, row), &fit.chroma_x, 2, blended);
                    gather_interleaved(blended, &fit.chroma_x.indices, u, v);
                }
            }
            let start = (fit.content.top + row) * pitch + fit.content.left;
            let out = start..start + width;
            let planes = [&mut red[out.clone()], &mut green[out.clone()], &mut blue[out]];
            convert(&color, &fit.luma_x.weights, &fit.chroma_x.weights, [y, u, v], planes);
        }
    }
}

/// Blends the two source rows of output row `row`, all the columns that `across` reaches (`step` bytes each), and
/// repeats the last, so that every sample has a right-hand neighbour.
#[inline(always)]
fn blend(picture: &Picture, plane: usize, (down, row): (&Axis, usize), across: &Axis, step: usize, out: &mut Vec<u8>) {
    let above = down.first + down.indices[row] as usize;
    let below = (above + 1).min(down.first + down.reach - 1);
    let lower = (down.weights[row] * 256.0).round() as u16;
    let upper = 256 - lower;
    let columns = across.first * step..(across.first + across.reach) * step;
    let (above, below) = (&picture.row(plane, above)[columns.clone()], &picture.row(plane, below)[columns]);
    let end = 2 * above.len();
    out.resize(end + 2 * step, 0);
    // 255 × 256 fits in 16 bits.
    for (out, (&above, &below)) in out.as_chunks_mut::<2>().0.iter_mut().zip(above.iter().zip(below)) {
        *out = (u16::from(above) * upper + u16::from(below) * lower).to_le_bytes();
    }
    out.copy_within(end - 2 * step..end, end);
}

/// Each sample's element and the next, in one word: the low half is the left one.
#[inline(always)]
fn gather(row: &[u8], indices: &[u32], pairs: &mut [u32]) {
    for (pair, &index) in pairs.iter_mut().zip(indices) {
        let at = index as usize * 2;
        *pair = u32::from_le_bytes(row[at..at + 4].try_into().expect("four bytes"));
    }
}

/// The same for two planes in one, U first.
#[inline(always)]
fn gather_interleaved(row: &[u8], indices: &[u32], u: &mut [u32], v: &mut [u32]) {
    for ((u, v), &index) in u.iter_mut().zip(v).zip(indices) {
        let at = index as usize * 4;
        let both = u64::from_le_bytes(row[at..at + 8].try_into().expect("eight bytes"));
        let (left, right) = (both as u32, (both >> 32) as u32);
        *u = (left & 0xffff) | (right << 16);
        *v = (left >> 16) | (right & 0xffff_0000);
    }
}

/// One row of samples → one row of each colour plane (red, green, blue).
#[inline(always)]
fn convert(color: &Color, luma: &[f32], chroma: &[f32], [y, u, v]: [&[u32]; 3], planes: [&mut [f32]; 3]) {
    let width = y.len();
    let [red, green, blue] = planes.map(|plane| &mut plane[..width]);
    let (u, v, luma, chroma) = (&u[..width], &v[..width], &luma[..width], &chroma[..width]);
    // Through i32: SSE and AVX2 convert no unsigned numbers.
    let between = |pair: u32, weight: f32| {
        let (left, right) = ((pair & 0xffff) as i32 as f32, (pair >> 16) as i32 as f32);
        left + (right - left) * weight
    };
    for x in 0..width {
        let luma = between(y[x], luma[x]) * color.luma;
        let (u, v) = (between(u[x], chroma[x]), between(v[x], chroma[x]));
        let rgb = [
            luma + v * color.red_v + color.bias[0],
            luma + u * color.green_u + v * color.green_v + color.bias[1],
            luma + u * color.blue_u + color.bias[2],
        ];
        red[x] = rgb[0].clamp(0.0, 255.0) * color.gain[0] + color.shift[0];
        green[x] = rgb[1].clamp(0.0, 255.0) * color.gain[1] + color.shift[1];
        blue[x] = rgb[2].clamp(0.0, 255.0) * color.gain[2] + color.shift[2];
    }
}

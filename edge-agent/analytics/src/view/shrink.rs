//! From a full picture's luma to a [`GrayView`].

use super::GrayView;

/// Width of a view, in pixels; a narrower picture is not enlarged.
pub const VIEW_WIDTH: usize = 160;

/// Bands of at least this many rows are averaged over every second row, and measured for detail in every fourth.
const TALL_BAND: usize = 6;

/// Makes views; keeps its buffers.
#[derive(Debug, Default)]
pub struct Shrinker {
    /// Sums over a band's rows, a column each.
    sums: Vec<u16>,
    squares: Vec<u32>,
    /// Where the boxes begin in a row, and where the last one ends.
    edges: Vec<usize>,
    pixels: Vec<u8>,
    detail: Vec<u16>,
}

impl Shrinker {
    /// Averages a picture over boxes, [`VIEW_WIDTH`] of them a row. `row` gives the luma of a row, `size` is width and
    /// height, `chroma` is passed on.
    pub fn shrink<'r>(
        &mut self,
        (full_width, full_height): (usize, usize),
        chroma: f32,
        row: impl Fn(usize) -> &'r [u8],
    ) -> GrayView<'_> {
        let width = VIEW_WIDTH.min(full_width).max(1);
        let height = (width * full_height / full_width.max(1)).clamp(1, full_height.max(1));
        self.sums.resize(full_width, 0);
        self.squares.resize(full_width, 0);
        self.edges.clear();
        self.edges.extend((0..=width).map(|column| column * full_width / width));
        self.pixels.clear();
        self.detail.clear();
        let mut digest = FNV_OFFSET;
        for band in 0..height {
            let rows = (band * full_height / height)..((band + 1) * full_height / height);
            let (luma_step, detail_step) = if rows.len() >= TALL_BAND { (2, 4) } else { (1, 1) };
            let (lumas, details) = (rows.len().div_ceil(luma_step), rows.len().div_ceil(detail_step));
            self.sums.fill(0);
            self.squares.fill(0);
            for y in rows.clone().step_by(luma_step) {
                self.sums.iter_mut().zip(row(y)).for_each(|(sum, luma)| *sum = sum.wrapping_add(u16::from(*luma)));
            }
            for y in rows.step_by(detail_step) {
                let row = row(y);
                let (left, right) = (&row[..row.len().saturating_sub(1)], row.get(1..).unwrap_or_default());
                for (sum, (a, b)) in self.squares.iter_mut().zip(left.iter().zip(right)) {
                    let step = u16::from(a.abs_diff(*b));
                    *sum += u32::from(step * step);
                }
            }
            for edges in self.edges.windows(2) {
                let columns = edges[0]..edges[1];
                let count = columns.len().max(1);
                let sum: u32 = self.sums[columns.clone()].iter().map(|sum| u32::from(*sum)).sum();
                let squares: u32 = self.squares[columns].iter().sum();
                // In floats, which divide sooner; every one of these is exact up to the division.
                let detail = squares as f32 * GrayView::DETAIL_SCALE as f32 / (count * details) as f32;
                self.pixels.push((sum as f32 / (count * lumas) as f32) as u8);
                self.detail.push(detail as u16);
                digest = (digest ^ (u64::from(sum) << 32 ^ u64::from(squares))).wrapping_mul(FNV_PRIME);
            }
        }
        GrayView { width, height, pixels: &self.pixels, detail: &self.detail, chroma, digest }
    }
}

/// FNV-1a's, over words in place of bytes.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;

    fn shrunk(
        width: usize,
        height: usize,
        luma: impl Fn(usize, usize) -> u8,
    ) -> (usize, usize, Vec<u8>, Vec<u16>, u64) {
        let picture: Vec<u8> = (0..width * height).map(|i| luma(i % width, i / width)).collect();
        let mut shrinker = Shrinker::default();
        let view = shrinker.shrink((width, height), 0.0, |y| &picture[y * width..(y + 1) * width]);
        (view.width, view.height, view.pixels.to_vec(), view.detail.to_vec(), view.digest)
    }

    #[test]
    fn a_view_has_the_pictures_shape_and_its_means() {
        for (width, height, rows) in [(1920, 1080, 90), (640, 480, 120), (353, 287, 130), (161, 91, 90), (33, 20, 20)] {
            let (w, h, pixels, _, _) = shrunk(width, height, |x, _| if x < width / 2 { 50 } else { 150 });
            assert_eq!((w, h), (width.min(160), rows), "{width}x{height}");
            assert_eq!((pixels.len(), pixels[0], pixels[w * h - 1]), (w * h, 50, 150), "{width}x{height}");
        }
    }

    #[test]
    fn detail_is_that_of_the_full_picture() {
        let (_, _, pixels, detail, _) = shrunk(1920, 1080, |x, _| if x % 2 == 0 { 90 } else { 110 });
        assert!(pixels.iter().all(|luma| *luma == 100), "too fine to be seen in the view");
        assert!(detail.iter().all(|detail| (u32::from(*detail)).abs_diff(400 * GrayView::DETAIL_SCALE) < 600), "20²");
        let (_, _, _, plain, _) = shrunk(1920, 1080, |_, _| 100);
        assert!(plain.iter().all(|detail| *detail == 0));
    }

    #[test]
    fn another_pixel_is_another_digest() {
        let of = |luma| shrunk(640, 360, move |x, y| if (x, y) == (500, 202) { luma } else { 80 }).4;
        assert_eq!(of(81), of(81));
        assert_ne!(of(81), of(82));
    }
}

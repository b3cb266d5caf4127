//! A picture's luma as means over blocks, as coarse as what a network can still see.

use crate::frame::Picture;

/// Blocks side by side. More see smaller changes; each costs, and is noisier.
const COLUMNS: usize = 128;
/// Rows read of each band of blocks: enough to average noise out, an eighth to a quarter of a tall picture.
const ROWS_READ: usize = 4;

/// Means over equal blocks, row by row; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    size: (usize, usize),
    columns: usize,
    rows: usize,
    /// Where the blocks begin in a row of pixels, and where the last one ends.
    edges: Vec<usize>,
    /// Over the rows read of a band, a column of pixels each.
    sums: Vec<u16>,
    means: Vec<f32>,
}

/// Columns and rows of blocks, from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) columns: (usize, usize),
    pub(super) rows: (usize, usize),
}

impl Area {
    pub(super) fn width(self) -> usize {
        self.columns.1 - self.columns.0
    }

    pub(super) fn height(self) -> usize {
        self.rows.1 - self.rows.0
    }
}

impl Blocks {
    /// Reads a picture; whether it has another size than the one before.
    pub(super) fn read(&mut self, picture: &Picture) -> bool {
        let size = (picture.width() as usize, picture.height() as usize);
        let is_new = size != self.size;
        if is_new {
            self.lay_out(size);
        }
        self.means.clear();
        for band in 0..self.rows {
            let (from, to) = (band * size.1 / self.rows, (band + 1) * size.1 / self.rows);
            let read = ROWS_READ.min(to - from);
            self.sums.fill(0);
            for i in 0..read {
                // In the middle of as many equal parts of the band.
                let row = picture.row(0, from + (2 * i + 1) * (to - from) / (2 * read));
                self.sums.iter_mut().zip(row).for_each(|(sum, luma)| *sum += u16::from(*luma));
            }
            let of_block = |edges: &[usize]| {
                let sum: u32 = self.sums[edges[0]..edges[1]].iter().map(|sum| u32::from(*sum)).sum();
                sum as f32 / (read * (edges[1] - edges[0])) as f32
            };
            self.means.extend(self.edges.windows(2).map(of_block));
        }
        is_new
    }

    /// Whether both are of pictures of one size.
    pub(super) fn has_size_of(&self, other: &Self) -> bool {
        self.size == other.size
    }

    fn lay_out(&mut self, (width, height): (usize, usize)) {
        self.size = (width, height);
        self.columns = COLUMNS.min(width);
        self.rows = (self.columns * height / width).clamp(1, height);
        self.edges = (0..=self.columns).map(|column| column * width / self.columns).collect();
        self.sums = vec![0; width];
    }

    /// The means.
    pub(super) fn means(&self) -> &[f32] {
        &self.means
    }

    /// The means of a row of an area.
    pub(super) fn row_of(&self, area: Area, row: usize) -> &[f32] {
        &self.means[self.range_of(area, row)]
    }

    /// Where a row of an area lies among all blocks.
    pub(super) fn range_of(&self, area: Area, row: usize) -> std::ops::Range<usize> {
        let from = (area.rows.0 + row) * self.columns;
        from + area.columns.0..from + area.columns.1
    }

    /// The blocks that a region of the picture touches.
    pub(super) fn area(&self, region: analytics::BBox) -> Area {
        let span = |from: f32, to: f32, count: usize| {
            let last = count - 1;
            let first = ((from * count as f32).max(0.0) as usize).min(last);
            (first, ((to * count as f32).ceil().max(0.0) as usize).clamp(first + 1, count))
        };
        Area {
            columns: span(region.left(), region.right(), self.columns),
            rows: span(region.top(), region.bottom(), self.rows),
        }
    }
}

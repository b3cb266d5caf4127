//! YOLOX without its decoding in the graph (Ge et al. 2021, arXiv:2107.08430).

use analytics::Class;

use super::{Candidates, NotANumber, best_class};

/// The anchors of one feature map: one a cell, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Anchors {
    first: usize,
    columns: usize,
    rows: usize,
    stride: f32,
}

impl Anchors {
    pub(super) fn of_strides(strides: &[usize], width: usize, height: usize) -> Vec<Self> {
        let mut first = 0;
        strides
            .iter()
            .map(|&stride| {
                let map = Self { first, columns: width / stride, rows: height / stride, stride: stride as f32 };
                first = map.end();
                map
            })
            .collect()
    }

    /// Number of anchors up to and including this map's.
    pub(super) fn end(&self) -> usize {
        self.first + self.columns * self.rows
    }
}

/// `output` is `[anchors, 5 + labels]`: centre x and y from the cell in strides, log of width and height in strides,
/// objectness and labels in 0..=1. Confidence is objectness × label, of the best label that rules know.
pub(super) fn decode(
    output: &[f32],
    maps: &[Anchors],
    columns: &[(usize, Class)],
    found: &mut Candidates<'_>,
) -> Result<(), NotANumber> {
    let Some(count) = maps.last().map(Anchors::end) else { return Ok(()) };
    let width = output.len() / count;
    for map in maps {
        let anchors = output[map.first * width..map.end() * width].chunks_exact(width);
        for (cell, anchor) in anchors.enumerate() {
            let objectness = anchor[4];
            // No label is above 1, so most anchors end here.
            if !found.is_worth_it(objectness) {
                continue;
            }
            let Some((class, label)) = best_class(columns, &anchor[5..]) else { continue };
            let confidence = objectness * label;
            if found.is_worth_it(confidence) {
                let (column, row) = (cell % map.columns, cell / map.columns);
                let center = [(anchor[0] + column as f32) * map.stride, (anchor[1] + row as f32) * map.stride];
                let half = [anchor[2].exp() * map.stride / 2.0, anchor[3].exp() * map.stride / 2.0];
                let corners = [center[0] - half[0], center[1] - half[1], center[0] + half[0], center[1] + half[1]];
                found.push(class, confidence, corners)?;
            }
        }
    }
    Ok(())
}

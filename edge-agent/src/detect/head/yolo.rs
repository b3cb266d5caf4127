//! YOLO from version 8 on: anchor-free, its boxes decoded in the graph, without objectness. No paper describes the
//! layout; it is what exporters of these networks agree on.

use analytics::Class;

use super::{Candidates, NotANumber, best_class_by};

/// `output` is `[4 + labels, anchors]`: rows of centre x, centre y, width and height in the input's pixels, then one row
/// a label in 0..=1. Read anchor by anchor: each row is walked from left to right once.
pub(super) fn decode(
    output: &[f32],
    anchors: usize,
    columns: &[(usize, Class)],
    found: &mut Candidates<'_>,
) -> Result<(), NotANumber> {
    for anchor in 0..anchors {
        let value = |row: usize| output[row * anchors + anchor];
        let Some((class, confidence)) = best_class_by(columns, |label| value(4 + label)) else { continue };
        if found.is_worth_it(confidence) {
            let [x, y, half_width, half_height] = [value(0), value(1), value(2) / 2.0, value(3) / 2.0];
            found.push(class, confidence, [x - half_width, y - half_height, x + half_width, y + half_height])?;
        }
    }
    Ok(())
}

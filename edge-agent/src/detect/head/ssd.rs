//! SSD with its boxes decoded in the graph (Liu et al. 2016, arXiv:1512.02325; TensorFlow's Object Detection API).

use analytics::Class;

use super::{Candidates, NotANumber, best_class};

/// `scores` is `[anchors, labels]`, `boxes` is `[anchors, 4]`: top, left, bottom, right, in fractions of the input.
pub(super) fn decode(
    scores: &[f32],
    boxes: &[f32],
    [width, height]: [f32; 2],
    columns: &[(usize, Class)],
    found: &mut Candidates<'_>,
) -> Result<(), NotANumber> {
    let (boxes, _) = boxes.as_chunks::<4>();
    if boxes.is_empty() {
        return Ok(());
    }
    let labels = scores.len() / boxes.len();
    for (scores, &[top, left, bottom, right]) in scores.chunks_exact(labels).zip(boxes) {
        let Some((class, confidence)) = best_class(columns, scores) else { continue };
        if found.is_worth_it(confidence) {
            found.push(class, confidence, [left * width, top * height, right * width, bottom * height])?;
        }
    }
    Ok(())
}

//! DETR and its kin: each query is one object or none, so nothing is suppressed (Carion et al. 2020, arXiv:2005.12872;
//! RT-DETR, Zhao et al. 2023, arXiv:2304.08069).

use analytics::Class;

use super::{Candidates, NotANumber, best_class};
use crate::detect::manifest::Activation;

/// `scores` is `[queries, labels]`, `boxes` is `[queries, 4]`: centre x, centre y, width, height, in fractions of the
/// input.
pub(super) fn decode(
    scores: &[f32],
    boxes: &[f32],
    [width, height]: [f32; 2],
    activation: Activation,
    columns: &[(usize, Class)],
    found: &mut Candidates<'_>,
) -> Result<(), NotANumber> {
    let (boxes, _) = boxes.as_chunks::<4>();
    if boxes.is_empty() {
        return Ok(());
    }
    let labels = scores.len() / boxes.len();
    for (scores, &[x, y, across, down]) in scores.chunks_exact(labels).zip(boxes) {
        let Some((class, score)) = best_class(columns, scores) else { continue };
        let confidence = match activation {
            Activation::None => score,
            Activation::Sigmoid => 1.0 / (1.0 + (-score).exp()),
            Activation::Softmax => share(score, scores),
        };
        if found.is_worth_it(confidence) {
            let (half_across, half_down) = (across / 2.0, down / 2.0);
            let corners = [
                (x - half_across) * width,
                (y - half_down) * height,
                (x + half_across) * width,
                (y + half_down) * height,
            ];
            found.push(class, confidence, corners)?;
        }
    }
    Ok(())
}

/// The softmax of `score` among `scores`, shifted by their highest so that none overflows.
fn share(score: f32, scores: &[f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (score - most).exp() / scores.iter().map(|score| (score - most).exp()).sum::<f32>()
}

//! The model against what was measured on the recorded detections (the figures are in `docs/simulator.md`).

use super::*;
use crate::camera::Solid;
use crate::ground::{Pose, Spot};

const ASPECT: f64 = 4.0 / 3.0;
/// The measured clip's own rate.
const DT: f64 = 1.0 / 7.0;

/// A person of `height_px` pixels of the network's input.
fn person(id: u32, height_px: f64, covered: f64) -> Sight {
    let height = height_px * ASPECT / 416.0;
    let width = 0.4 * height / ASPECT;
    let left = 0.1 + 0.2 * f64::from(id % 5);
    let edges = [left, 0.5, left + width, 0.5 + height].map(|edge| edge as f32);
    let bbox = BBox::new(edges[0], edges[1], edges[2], edges[3]).expect("a box");
    let pose = Pose { spot: Spot::default(), ahead: Spot::new(0.0, 1.0) };
    let solid = Solid { pose, length_m: 0.5, width_m: 0.5, bottom_m: 0.0, top_m: 1.7 };
    let body = Body { id: id * crate::world::BODIES, class: Class::Person, rides: false, solid };
    Sight { body, bbox, distance_m: 30.0, covered }
}

/// For each frame the confidence of the surest box of each of many persons, `0.0` when missed, and its lower edge.
fn watched(height_px: f64, covered: f64) -> Vec<Vec<(f64, f64)>> {
    let params =
        DetectorParams { sticky_places: (0, 0), random_false: (0.0, 0.0), dropouts: (1e9, 1.0), ..Default::default() };
    (0..200)
        .map(|id| {
            let mut detector = Detector::new(params.clone(), Chance::new(u64::from(id)).part("test"));
            let sight = person(id, height_px, covered);
            let mut found = Vec::new();
            (0..70)
                .map(|_| {
                    detector.look(&[sight], ASPECT, DT, &mut found);
                    let surest = found.iter().max_by(|a, b| a.confidence.get().total_cmp(&b.confidence.get()));
                    surest.map_or((0.0, 0.0), |found| {
                        let off = (found.bbox.bottom() - sight.bbox.bottom()) / sight.bbox.height();
                        (f64::from(found.confidence.get()), f64::from(off))
                    })
                })
                .collect()
        })
        .collect()
}

fn share(all: &[Vec<(f64, f64)>], is: impl Fn(f64) -> bool) -> f64 {
    let n = all.iter().flatten().count() as f64;
    all.iter().flatten().filter(|(confidence, _)| is(*confidence)).count() as f64 / n
}

#[test]
fn uncovered_persons_are_missed_as_often_as_on_the_clip() {
    let all = watched(44.0, 0.0);
    let (missed, unsure) = (share(&all, |c| c == 0.0), share(&all, |c| c < 0.5));
    assert!((0.008..0.03).contains(&missed), "measured 0.017: {missed}");
    assert!((0.03..0.09).contains(&unsure), "measured 0.056: {unsure}");
    let mut sure: Vec<f64> = all.iter().flatten().map(|(c, _)| *c).filter(|c| *c > 0.0).collect();
    sure.sort_by(f64::total_cmp);
    let median = sure[sure.len() / 2];
    assert!((0.74..0.84).contains(&median), "measured 0.80: {median}");
}

#[test]
fn a_missed_person_is_missed_again_as_often_as_on_the_clip() {
    let all = watched(44.0, 0.0);
    for (lag, measured) in [(1, 0.56), (3, 0.27)] {
        let pairs = all.iter().flat_map(|of| of.iter().zip(&of[lag..])).filter(|(now, _)| now.0 == 0.0);
        let (n, again) =
            pairs.fold((0.0, 0.0), |(n, again), (_, then)| (n + 1.0, again + f64::from(u8::from(then.0 == 0.0))));
        let again = again / n;
        assert!((again - measured).abs() < 0.15, "after {lag} frames {again}, measured {measured}");
    }
}

#[test]
fn cover_costs_as_much_as_on_the_clip() {
    for (covered, measured_missed, measured_unsure) in [(0.3, 0.10, 0.34), (0.5, 0.27, 0.52), (0.7, 0.40, 0.62)] {
        let all = watched(38.0, covered);
        let (missed, unsure) = (share(&all, |c| c == 0.0), share(&all, |c| c < 0.5));
        assert!((missed - measured_missed).abs() < 0.1, "{covered} covered: {missed}, measured {measured_missed}");
        assert!((unsure - measured_unsure).abs() < 0.2, "{covered} covered: {unsure}, measured {measured_unsure}");
    }
}

#[test]
fn small_persons_are_hardly_seen() {
    let missed = |height| share(&watched(height, 0.0), |c| c == 0.0);
    assert!(missed(9.0) > 0.7 && missed(16.0) > missed(24.0) && missed(24.0) < 0.2);
}

#[test]
fn lower_edges_are_off_as_far_and_as_long_as_on_the_clip() {
    let all = watched(44.0, 0.0);
    let off: Vec<f64> = all.iter().flatten().filter(|(c, _)| *c > 0.0).map(|(_, off)| *off).collect();
    let std = (off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64).sqrt();
    assert!((0.03..0.045).contains(&std), "measured 0.036: {std}");
    let pairs = all.iter().flat_map(|of| of.iter().zip(&of[1..])).filter(|(a, b)| a.0 > 0.0 && b.0 > 0.0);
    let (n, product) = pairs.fold((0.0, 0.0), |(n, sum), (a, b)| (n + 1.0, sum + a.1 * b.1));
    let correlation = product / n / (std * std);
    assert!((correlation - 0.57).abs() < 0.15, "measured 0.57: {correlation}");
}

#[test]
fn a_seed_gives_the_same_boxes_again() {
    assert_eq!(watched(44.0, 0.2), watched(44.0, 0.2));
}

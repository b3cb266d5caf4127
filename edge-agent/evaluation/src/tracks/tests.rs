//! A small sequence against the public evaluations, and what holds for all.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Seven walkers who meet, hide and come back, and a tracker's mistakes about them; made by hand.
fn walkers(every: u64) -> Vec<Frame> {
    let mut frames: BTreeMap<u64, Frame> = BTreeMap::new();
    let rows = |text: &'static str| {
        text.lines().map(|line| line.split(',').map(|field| field.parse().expect("a number")).collect::<Vec<f64>>())
    };
    let placed =
        |row: &[f64]| Placed { id: row[1] as u64, bbox: PixelBox::new(row[2], row[3], row[4], row[5]).expect("a box") };
    for row in rows(include_str!("../../tests/data/walkers.gt.txt")).filter(|row| row[6] == 1.0) {
        frames.entry(row[0] as u64).or_default().truth.push(placed(&row));
    }
    for row in rows(include_str!("../../tests/data/walkers.tracks.txt")) {
        frames.entry(row[0] as u64).or_default().tracked.push(placed(&row));
    }
    frames.into_iter().filter(|(number, _)| (number - 1).is_multiple_of(every)).map(|(_, frame)| frame).collect()
}

fn close(value: Option<f64>, reference: f64) {
    let value = value.expect("a figure");
    assert!((value - reference).abs() < 1e-9, "{value} is not {reference}");
}

// References: py-motmetrics 1.4.0 (`MOTAccumulator.update` with `iou_matrix(…, max_iou = 1 − IoU)`, frame by frame) and
// TrackEval 1.3.0 (`HOTA.eval_sequence` over the same boxes, ids numbered from 0), numpy 2.4.6.
#[test]
fn figures_agree_with_the_public_evaluations() {
    let TrackReport { frames, truth_boxes, truth_ids, tracked_boxes, clear, identity, hota, .. } =
        evaluate(&walkers(1), 0.5);
    assert_eq!((frames, truth_boxes, truth_ids, tracked_boxes), (44, 215, 7, 188));
    close(clear.mota, 0.711_627_906_976_744_2);
    close(clear.motp, 0.246_628_076_582_516_9);
    close(clear.recall, 0.804_651_162_790_697_7);
    close(clear.precision, 0.920_212_765_957_446_8);
    assert_eq!((clear.misses, clear.false_positives, clear.switches, clear.fragmentations), (42, 15, 5, 25));
    assert_eq!((clear.mostly_tracked, clear.partially_tracked, clear.mostly_lost), (5, 2, 0));
    close(identity.idf1, 0.694_789_081_885_856_1);
    close(identity.idp, 0.744_680_851_063_829_8);
    close(identity.idr, 0.651_162_790_697_674_4);
    assert_eq!((identity.idtp, identity.idfp, identity.idfn), (140, 48, 75));
    close(hota.hota, 0.472_033_155_781_965_86);
    close(hota.deta, 0.560_079_290_403_873);
    close(hota.assa, 0.398_313_041_603_333);
    close(hota.loca, 0.792_604_182_212_834_2);
}

#[test]
fn every_third_frame_agrees_too() {
    let TrackReport { frames, truth_boxes, tracked_boxes, clear, identity, hota, .. } = evaluate(&walkers(3), 0.5);
    assert_eq!((frames, truth_boxes, tracked_boxes), (14, 70, 60));
    close(clear.mota, 0.714_285_714_285_714_3);
    assert_eq!((clear.misses, clear.false_positives, clear.switches, clear.fragmentations), (13, 3, 4, 7));
    close(identity.idf1, 0.738_461_538_461_538_5);
    close(hota.hota, 0.499_287_156_597_354_34);
    close(hota.assa, 0.440_719_058_978_398_36);
}

#[test]
fn a_stricter_overlap_agrees_too() {
    let TrackReport { clear, identity, hota, .. } = evaluate(&walkers(1), 0.7);
    close(clear.mota, 0.367_441_860_465_116_3);
    close(clear.motp, 0.212_180_536_539_980_48);
    assert_eq!((clear.misses, clear.false_positives, clear.switches, clear.fragmentations), (79, 52, 5, 40));
    assert_eq!((clear.mostly_tracked, clear.partially_tracked, clear.mostly_lost), (1, 6, 0));
    close(identity.idf1, 0.545_905_707_196_029_8);
    close(hota.hota, 0.472_033_155_781_965_86);
}

fn at(id: u64, left: f64) -> Placed {
    Placed { id, bbox: PixelBox::new(left, 0.0, 10.0, 10.0).expect("a box") }
}

fn frame(truth: &[Placed], tracked: &[Placed]) -> Frame {
    Frame { truth: truth.to_vec(), tracked: tracked.to_vec() }
}

#[test]
fn an_overlap_at_the_threshold_counts() {
    // Ten by ten, five apart: a third; by five: 50 of 100.
    let half = Placed { id: 1, bbox: PixelBox::new(0.0, 0.0, 10.0, 5.0).expect("a box") };
    let report = |min_iou| evaluate(&[frame(&[at(1, 0.0)], &[half])], min_iou).clear.found;
    assert_eq!((report(0.5), report(0.51)), (1, 0));
}

#[test]
fn an_object_keeps_its_track_while_another_is_nearer() {
    let frames = [frame(&[at(1, 0.0)], &[at(7, 0.0)]), frame(&[at(1, 0.0)], &[at(8, 0.0), at(7, 2.0)])];
    let clear = evaluate(&frames, 0.5).clear;
    assert_eq!((clear.switches, clear.false_positives, clear.found), (0, 1, 2));
}

#[test]
fn a_gap_is_a_fragmentation_and_a_new_track_after_it_a_switch() {
    let seen = |id| frame(&[at(1, 0.0)], &[at(id, 0.0)]);
    let missed = || frame(&[at(1, 0.0)], &[]);
    let clear = evaluate(&[missed(), seen(7), missed(), missed(), seen(8), missed()], 0.5).clear;
    assert_eq!((clear.fragmentations, clear.switches, clear.misses), (1, 1, 4));
}

#[test]
fn without_truth_or_tracks_there_are_no_figures() {
    let nothing = evaluate(&[], 0.5);
    assert_eq!((nothing.clear.mota, nothing.identity.idf1, nothing.hota.hota), (None, None, None));
    let no_truth = evaluate(&[frame(&[], &[at(1, 0.0)])], 0.5);
    assert_eq!((no_truth.clear.mota, no_truth.clear.precision, no_truth.hota.hota), (None, Some(0.0), Some(0.0)));
    let no_tracks = evaluate(&[frame(&[at(1, 0.0)], &[])], 0.5);
    assert_eq!(
        (no_tracks.clear.mota, no_tracks.clear.precision, no_tracks.identity.idf1),
        (Some(0.0), None, Some(0.0))
    );
}

#[test]
fn ten_minutes_of_fifty_objects_are_evaluated() {
    // Twenty-five a second; each track is another object's after every 500 frames.
    let frames: Vec<Frame> = (0..15_000u64)
        .map(|t| {
            let place = |k: u64| ((k * 37 + t) % 2000) as f64;
            let tracked = (0..50).map(|k| at(k + 50 * (t / 500), place(k) + 1.0)).collect();
            Frame { truth: (0..50).map(|k| at(k, place(k))).collect(), tracked }
        })
        .collect();
    let report = evaluate(&frames, 0.5);
    assert_eq!(report.clear.switches, 50 * 29);
    close(report.identity.idf1, 1.0 / 30.0);
}

/// Objects that walk at random, and a tracker that misses some and takes some for others.
fn any_frames() -> impl Strategy<Value = Vec<Frame>> {
    let placed = |ids: u64| {
        proptest::collection::btree_map(0..ids, 0u32..60, 0..5)
            .prop_map(|boxes| boxes.into_iter().map(|(id, left)| at(id, f64::from(left))).collect())
    };
    let frame = (placed(5), placed(7)).prop_map(|(truth, tracked)| Frame { truth, tracked });
    proptest::collection::vec(frame, 0..12)
}

fn figures(report: &TrackReport) -> Vec<f64> {
    let TrackReport { clear, identity, hota, .. } = report;
    let shares = [
        clear.recall,
        clear.precision,
        clear.motp,
        identity.idf1,
        identity.idp,
        identity.idr,
        hota.hota,
        hota.deta,
        hota.assa,
        hota.loca,
    ];
    shares.into_iter().flatten().collect()
}

proptest! {
    #[test]
    fn shares_are_shares_and_counts_add_up(frames in any_frames(), min_iou in 0.05f64..=1.0) {
        let report = evaluate(&frames, min_iou);
        prop_assert!(figures(&report).into_iter().all(|share| (0.0..=1.0 + 1e-12).contains(&share)), "{report:?}");
        let TrackReport { clear, identity, .. } = report;
        prop_assert!(clear.mota.is_none_or(|mota| mota <= 1.0));
        prop_assert_eq!(clear.found + clear.misses, report.truth_boxes);
        prop_assert_eq!(clear.found + clear.false_positives, report.tracked_boxes);
        prop_assert_eq!(clear.mostly_tracked + clear.partially_tracked + clear.mostly_lost, report.truth_ids);
        // What is given an identity is found too.
        prop_assert!(identity.idtp <= report.truth_boxes.min(report.tracked_boxes));
    }

    #[test]
    fn the_truth_itself_is_perfect(mut frames in any_frames()) {
        for frame in &mut frames {
            // Two at one place could be taken for each other.
            frame.truth.dedup_by_key(|placed| placed.id);
            frame.truth = frame.truth.iter().map(|placed| at(placed.id, 100.0 * placed.id as f64)).collect();
            frame.tracked = frame.truth.iter().map(|placed| Placed { id: placed.id + 90, ..*placed }).collect();
        }
        let TrackReport { clear, identity, hota, truth_boxes, .. } = evaluate(&frames, 0.5);
        if truth_boxes > 0 {
            for figure in [clear.mota, clear.recall, clear.precision, identity.idf1, hota.hota, hota.assa, hota.loca] {
                prop_assert!((figure.unwrap() - 1.0).abs() < 1e-9);
            }
            prop_assert_eq!((clear.motp, clear.switches, clear.fragmentations), (Some(0.0), 0, 0));
        }
    }

    #[test]
    fn other_numbers_for_the_same_tracks_change_nothing(frames in any_frames(), by in 1u64..1000) {
        let renumbered: Vec<Frame> = frames
            .iter()
            .map(|frame| {
                let other = |placed: &Placed| Placed { id: (placed.id * 7919 + by) % 10_007, ..*placed };
                Frame { truth: frame.truth.iter().map(other).collect(), tracked: frame.tracked.iter().map(other).collect() }
            })
            .collect();
        prop_assert_eq!(evaluate(&frames, 0.5), evaluate(&renumbered, 0.5));
    }

    #[test]
    fn a_picture_twice_as_large_changes_nothing(frames in any_frames()) {
        let twice = |placed: &Placed| {
            let [left, top, width, height] = [placed.bbox.left(), placed.bbox.top(), placed.bbox.width(), placed.bbox.height()];
            Placed { bbox: PixelBox::new(2.0 * left, 2.0 * top, 2.0 * width, 2.0 * height).expect("a box"), ..*placed }
        };
        let larger: Vec<Frame> = frames
            .iter()
            .map(|frame| Frame {
                truth: frame.truth.iter().map(twice).collect(),
                tracked: frame.tracked.iter().map(twice).collect(),
            })
            .collect();
        prop_assert_eq!(evaluate(&frames, 0.5), evaluate(&larger, 0.5));
    }

    #[test]
    fn truth_and_tracks_may_change_places_for_identity(frames in any_frames()) {
        let turned: Vec<Frame> =
            frames.iter().map(|frame| Frame { truth: frame.tracked.clone(), tracked: frame.truth.clone() }).collect();
        let (a, b) = (evaluate(&frames, 0.5).identity, evaluate(&turned, 0.5).identity);
        prop_assert_eq!((a.idf1, a.idp, a.idr, a.idtp), (b.idf1, b.idr, b.idp, b.idtp));
    }
}

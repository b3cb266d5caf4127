//! Where in an object's box its head or number plate may be.
//!
//! Proportions are those of the body and of vehicles, taken wide: too much of a coat is no loss, an ear too little is. A
//! head is 1/7.5 of a standing body (drawing canon after Richer 1889); a box wide for its height is of one who sits, bends
//! or is seen in part, and its head a greater share. Plates are 520 mm or 330 mm wide on cars, 190 mm on motorcycles (QCVN
//! 08:2024/BCA): at most 0.29 of a car's width seen from behind, 0.25 of a motorcycle's.

use std::time::Duration;

use analytics::{BBox, Class, Detection, Point, Scene};

/// Heads less high than this show nobody: people recognise well-known faces in 7×10 pixels and hardly in fewer (Sinha et
/// al., "Face recognition by humans: nineteen results", Proc. IEEE 94, 2006; Yip and Sinha 2002). Less spares small
/// patches in wide views; it costs the margin.
const LEAST_HEAD_PX: f32 = 6.0;

/// Plates narrower than this cannot be read: seven characters of less than two pixels each, where the smallest legible
/// letters (5×7 dots) have five.
const LEAST_PLATE_PX: f32 = 12.0;

/// Of a box around its moment: boxes of trackers lag and waver by about this share of their size.
const WAVER: f32 = 0.1;

/// An object that was seen at some moment, or is expected to be there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// What it is.
    pub class: Class,
    /// Fractions of the picture.
    pub bbox: BBox,
    /// In fractions of width and height a second.
    pub velocity: Point,
}

/// All that is known of a frame: its tracks, those that are lost where they are expected, what stands, and what was detected
/// without becoming a track.
#[must_use]
pub fn known(scene: &Scene, detections: &[Detection]) -> Vec<Known> {
    let still = Point::new(0.0, 0.0);
    let tracks =
        scene.tracks.iter().map(|track| Known { class: track.class, bbox: track.bbox, velocity: track.velocity });
    let found = detections.iter().map(|seen| Known { class: seen.class, bbox: seen.bbox, velocity: still });
    tracks.chain(found).collect()
}

impl Known {
    /// Where it may be so long before or after: its box, swept both ways and wider by its wavering; in pixels.
    pub(super) fn swept(&self, within: Duration, size: [f32; 2]) -> [f32; 4] {
        let way = [self.velocity.x, self.velocity.y].map(|v| v.abs() * within.as_secs_f32());
        let aside = [way[0] + WAVER * self.bbox.width(), way[1] + WAVER * self.bbox.height()];
        let corners = [self.bbox.left(), self.bbox.top(), self.bbox.right(), self.bbox.bottom()];
        [0, 1, 2, 3].map(|i| {
            let moved = if i < 2 { corners[i] - aside[i] } else { corners[i] + aside[i - 2] };
            moved * size[i % 2]
        })
    }
}

/// A part of a picture that is made unrecognisable, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left, top, right, bottom; may reach beyond the picture.
    pub corners: [f32; 4],
    /// The side of the squares that it is averaged over: at least as large as a head is high, or half as large as a plate
    /// is wide, so that either falls into two by two of them.
    pub block_px: f32,
}

/// The areas of an object whose box is this, in pixels: of its head, its plate, both or, where neither could be recognised,
/// none.
pub(super) fn areas(class: Class, corners: [f32; 4]) -> impl Iterator<Item = Area> {
    let [head, plate] = match class {
        Class::Person => [head(corners), None],
        Class::Bicycle => [rider(corners), None],
        Class::Motorcycle => [rider(corners), plate(corners, [0.0, 0.25, 0.85], 0.25)],
        Class::Car => [None, plate(corners, [0.05, 0.45, 1.05], 0.29)],
        Class::Bus | Class::Truck => [None, plate(corners, [0.05, 0.55, 1.05], 0.29)],
    };
    head.into_iter().chain(plate)
}

/// Of a person: the upper third, more of a box that is wide for its height, and a margin around.
fn head([left, top, right, bottom]: [f32; 4]) -> Option<Area> {
    let (width, height) = (right - left, bottom - top);
    let head_px = (height / 7.5).max(width / 3.0);
    let down = (0.3 * height).max(0.6 * width).min(height);
    let corners = [left - 0.15 * width, top - 0.1 * height, right + 0.15 * width, top + down];
    (head_px >= LEAST_HEAD_PX).then_some(Area { corners, block_px: head_px })
}

/// Of whoever rides a two-wheeler: above its box, and the upper part of it, where that has the rider, too.
fn rider([left, top, right, bottom]: [f32; 4]) -> Option<Area> {
    let (width, height) = (right - left, bottom - top);
    // A two-wheeler is two thirds as high as its rider.
    let head_px = height * 1.5 / 7.5;
    let corners = [left - 0.1 * width, top - 0.75 * height, right + 0.1 * width, top + 0.35 * height];
    (head_px >= LEAST_HEAD_PX).then_some(Area { corners, block_px: head_px })
}

/// Of a vehicle: a band over its whole width, wider by `aside` of it, between two heights. `share`: the plate's width, of
/// the vehicle's.
fn plate([left, top, right, bottom]: [f32; 4], [aside, from, to]: [f32; 3], share: f32) -> Option<Area> {
    let (width, height) = (right - left, bottom - top);
    let corners = [left - aside * width, top + from * height, right + aside * width, top + to * height];
    let plate_px = share * width;
    (plate_px >= LEAST_PLATE_PX).then_some(Area { corners, block_px: plate_px / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(class: Class, corners: [f32; 4]) -> Vec<[f32; 4]> {
        areas(class, corners).map(|area| area.corners).collect()
    }

    fn holds(area: [f32; 4], part: [f32; 4]) -> bool {
        area[0] <= part[0] && area[1] <= part[1] && area[2] >= part[2] && area[3] >= part[3]
    }

    #[test]
    fn a_head_is_covered_standing_sitting_and_cut_off() {
        // A standing person of 300 pixels: the head is 40 high and 30 wide, in the middle or leaning out.
        for x in [0.0, 45.0, 90.0] {
            assert!(holds(of(Class::Person, [0.0, 0.0, 120.0, 300.0])[0], [x, 0.0, x + 30.0, 40.0]));
        }
        // The same from the chest up: 120 by 100.
        assert!(holds(of(Class::Person, [0.0, 0.0, 120.0, 100.0])[0], [30.0, 0.0, 90.0, 70.0]));
        // Lying: it may be at either end.
        assert!(holds(of(Class::Person, [0.0, 0.0, 300.0, 80.0])[0], [0.0, 0.0, 300.0, 80.0]));
    }

    #[test]
    fn a_riders_head_is_covered_whether_the_box_has_the_rider_or_not() {
        // A motorcycle 100 high with a rider who ends 70 above it; then one box of both.
        assert!(holds(of(Class::Motorcycle, [0.0, 100.0, 80.0, 200.0])[0], [20.0, 30.0, 60.0, 65.0]));
        assert!(holds(of(Class::Motorcycle, [0.0, 30.0, 80.0, 200.0])[0], [20.0, 30.0, 60.0, 65.0]));
        assert_eq!(of(Class::Bicycle, [0.0, 100.0, 80.0, 200.0]).len(), 1, "a bicycle has no plate");
    }

    #[test]
    fn a_plate_is_covered_at_both_sides_of_a_car_seen_askew() {
        for x in [0.0, 142.0] {
            assert!(holds(of(Class::Car, [0.0, 0.0, 200.0, 150.0])[0], [x, 75.0, x + 58.0, 90.0]), "{x}");
        }
    }

    #[test]
    fn what_nobody_could_recognise_is_left_alone() {
        for class in Class::ALL {
            assert_eq!(of(class, [0.0, 0.0, 14.0, 29.0]), Vec::<[f32; 4]>::new(), "{class}");
            assert!(!of(class, [0.0, 0.0, 60.0, 60.0]).is_empty(), "{class}");
        }
    }

    #[test]
    fn a_head_or_a_plate_falls_into_four_squares_at_most() {
        for area in areas(Class::Person, [0.0, 0.0, 120.0, 300.0]) {
            assert!(area.block_px >= 300.0 / 7.5);
        }
        for area in areas(Class::Car, [0.0, 0.0, 180.0, 150.0]) {
            assert!(2.0 * area.block_px >= 180.0 * 0.52 / 1.8);
        }
    }

    #[test]
    fn boxes_of_another_moment_reach_where_the_object_may_have_been_and_may_be() {
        let bbox = BBox::new(0.4, 0.4, 0.5, 0.6).expect("a box");
        let known = Known { class: Class::Person, bbox, velocity: Point::new(0.2, 0.0) };
        let [left, top, right, bottom] = known.swept(Duration::from_millis(300), [1000.0, 1000.0]);
        assert!(left <= 340.0 && right >= 560.0, "{left} {right}");
        assert!((370.0..400.0).contains(&top) && (600.0..630.0).contains(&bottom), "{top} {bottom}");
    }
}

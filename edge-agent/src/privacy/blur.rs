//! Makes areas of a picture unrecognisable: each square of them becomes its own mean colour.
//!
//! A Gaussian blur is a linear filter, and what it leaves is restored: faces behind blurs and mosaics of 8 to 16 squares are
//! told apart by networks (McPherson, Shokri and Shmatikov, "Defeating image obfuscation with deep learning", 2016), and
//! blurred or mosaicked digits are read back by comparing with blurred candidates (Hill et al., "On the (in)effectiveness of
//! mosaicing and blurring as tools for document redaction", PETS 2016). Here a head or a plate falls into two by two squares:
//! four colours are left of it, and no filter brings back what they do not hold.

use image::RgbImage;

use super::region::Area;

/// Squares are never smaller.
const LEAST_BLOCK_PX: f32 = 4.0;

/// Replaces the areas' squares by their means, one area after the other.
pub(super) fn blur(image: &mut RgbImage, areas: &[Area]) {
    for area in areas {
        let [left, top, right, bottom] = area.corners;
        let (columns, rows) = (span(left, right, image.width()), span(top, bottom, image.height()));
        let block = area.block_px.max(LEAST_BLOCK_PX).ceil() as u32;
        for y in rows.clone().step_by(block as usize) {
            for x in columns.clone().step_by(block as usize) {
                level(image, x..x.saturating_add(block).min(columns.end), y..y.saturating_add(block).min(rows.end));
            }
        }
    }
}

/// The pixels that an interval touches.
fn span(from: f32, to: f32, size: u32) -> std::ops::Range<u32> {
    // A float beyond an integer's range, or no number, is the nearest one, or none.
    (from.floor() as u32).min(size)..(to.ceil() as u32).min(size)
}

fn level(image: &mut RgbImage, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>) {
    let mut sums = [0_u64; 3];
    let pixels = u64::from(columns.end - columns.start) * u64::from(rows.end - rows.start);
    for (x, y) in rows.clone().flat_map(|y| columns.clone().map(move |x| (x, y))) {
        let pixel = image.get_pixel(x, y).0;
        (0..3).for_each(|c| sums[c] += u64::from(pixel[c]));
    }
    let mean = image::Rgb(sums.map(|sum| (sum / pixels.max(1)) as u8));
    for (x, y) in rows.flat_map(|y| columns.clone().map(move |x| (x, y))) {
        image.put_pixel(x, y, mean);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noisy(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(2_246_822_519)).wrapping_mul(0x9e37_79b1);
            let [a, b, c, _] = noise.to_be_bytes();
            image::Rgb([a, b, c])
        })
    }

    proptest! {
        /// What is left of a square says nothing of which of its pixels was what: turned around, it gives the same.
        #[test]
        fn only_the_means_of_squares_are_left_and_nothing_around_changes(
            corners in prop::array::uniform4(-20.0_f32..100.0),
            block_px in 0.5_f32..30.0,
        ) {
            let area = Area { corners, block_px };
            let plain = noisy(80, 60);
            let mut blurred = plain.clone();
            blur(&mut blurred, &[area]);
            let [left, top, right, bottom] = corners;
            let (columns, rows) = (span(left, right, 80), span(top, bottom, 60));
            let block = block_px.max(LEAST_BLOCK_PX).ceil() as u32;
            for (x, y, pixel) in blurred.enumerate_pixels() {
                if columns.contains(&x) && rows.contains(&y) {
                    let corner = (x - (x - columns.start) % block, y - (y - rows.start) % block);
                    prop_assert_eq!(pixel, blurred.get_pixel(corner.0, corner.1));
                } else {
                    prop_assert_eq!(pixel, plain.get_pixel(x, y));
                }
            }
        }
    }

    #[test]
    fn an_area_beyond_the_picture_or_of_no_numbers_is_no_trouble() {
        let plain = noisy(8, 8);
        let mut blurred = plain.clone();
        let far = [[-9.0, -9.0, -1.0, -1.0], [9.0, 9.0, 12.0, 12.0], [f32::NAN; 4], [5.0, 5.0, 1.0, 1.0]];
        blur(&mut blurred, &far.map(|corners| Area { corners, block_px: f32::NAN }));
        assert_eq!(blurred, plain);
        blur(&mut blurred, &[Area { corners: [-1e30, -1e30, 1e30, 1e30], block_px: 1e30 }]);
        assert!(blurred.pixels().all(|pixel| pixel == blurred.get_pixel(0, 0)));
    }
}

//! A grid of fractions over a picture, labelled along its edges: points of zones and lines are read off it.

use analytics::{Ground, Point};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point as Place;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::canvas::{Canvas, Ink};

/// Lines of each direction: every tenth, the edges themselves left out.
const TENTHS: std::ops::Range<u32> = 1..10;

/// Pixels of a dash and of the gap behind it: what is below shows through.
const DASH: u32 = 4;

/// Lines on the ground.
const GROUND: Rgb888 = Rgb888::new(0, 255, 200);

/// Draws it: a line every tenth, dashed white on black, the middle one without gaps; labels `0.1` to `0.9` along all four
/// edges, x at top and bottom, y left and right; `0,0` in its corner.
pub fn draw(canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    for tenth in TENTHS {
        let (x, y) = (at(tenth, width), at(tenth, height));
        dashes(canvas, height, tenth == 5, |along, beside| Place::new(x + beside, along));
        dashes(canvas, width, tenth == 5, |along, beside| Place::new(along, y + beside));
    }
    for tenth in TENTHS {
        let (fraction, words) = (tenth as f32 / 10.0, format!("{:.1}", f64::from(tenth) / 10.0));
        for edge in [0.0, 1.0] {
            canvas.label(Point::new(fraction, edge), &words, Ink::Note);
            canvas.label(Point::new(edge, fraction), &words, Ink::Note);
        }
    }
    canvas.label(Point::new(0.0, 0.0), "0,0", Ink::Note);
}

/// Draws lines on the ground every `every_m` metres along both of its axes, where lengths are measured.
pub fn draw_ground(canvas: &mut Canvas, ground: &Ground, every_m: f64) {
    let (width, height) = (canvas.width(), canvas.height());
    let cell = |x: u32, y: u32| {
        let point = Point::new((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32);
        let place = ground.at(point)?;
        Some([place.x_m, place.y_m].map(|metres| (metres / every_m).floor()))
    };
    let mut pixels = Vec::new();
    let mut above: Vec<Option<[f64; 2]>> = vec![None; width as usize];
    for y in 0..height {
        let mut left = None;
        for x in 0..width {
            let here = cell(x, y);
            let up = std::mem::replace(&mut above[x as usize], here);
            let parts = |other: Option<[f64; 2]>| other.zip(here).is_some_and(|(a, b)| a != b);
            if parts(left) || parts(up) {
                pixels.push(Pixel(Place::new(x as i32, y as i32), GROUND));
            }
            left = here;
        }
    }
    let Ok(()) = canvas.draw_iter(pixels);
}

fn at(tenth: u32, size: u32) -> i32 {
    (f64::from(tenth) / 10.0 * f64::from(size)).round() as i32
}

/// One line over `length` pixels; `place` says where, from the way along it and beside it.
fn dashes(canvas: &mut Canvas, length: u32, solid: bool, place: impl Fn(i32, i32) -> Place) {
    let drawn = (0..length).filter(|along| solid || (along / DASH).is_multiple_of(2));
    let pixels = drawn.flat_map(|along| {
        let along = along as i32;
        [(0, Rgb888::WHITE), (1, Rgb888::BLACK)].map(|(beside, color)| Pixel(place(along, beside), color))
    });
    let Ok(()) = canvas.draw_iter(pixels);
}

#[cfg(test)]
mod tests {
    use analytics::ground::Homography;

    use super::*;
    use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
    use crate::privacy::Shareable;

    fn grey(width: u32, height: u32) -> Picture {
        let layout = PictureLayout {
            width,
            height,
            format: PixelFormat::I420,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Full },
            planes: [PlaneLayout { offset: 0, stride: width as usize }; 3],
        };
        Picture::new(layout, Box::new(vec![128; (width * height) as usize])).expect("fits")
    }

    #[test]
    fn the_ground_has_its_lines_where_it_is_known() {
        // One metre is a tenth of the picture; the left half is not known.
        let metres = Homography::new([[10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 1.0]], [0.5, 0.5]).expect("a map");
        let ground = Ground::new(metres, |point| if point.x < 0.5 { 1.0 } else { 0.0 });
        let mut canvas = Canvas::new(Shareable::as_decoded(&grey(400, 400), 4000));
        draw_ground(&mut canvas, &ground, 2.0);
        let drawn = |x: u32, y: u32| canvas.image().get_pixel(x, y).0 == [GROUND.r(), GROUND.g(), GROUND.b()];
        assert!(drawn(320, 210) && drawn(350, 240), "every two metres");
        assert!(!drawn(360, 210) && !drawn(350, 200), "not every metre");
        assert!((0..200).all(|x| !drawn(x, 240)), "not where nothing is known");
    }

    #[test]
    fn every_tenth_has_its_line_and_between_them_is_the_picture() {
        let (width, height) = (640, 480);
        let mut canvas = Canvas::new(Shareable::as_decoded(&grey(width, height), 4000));
        let ground = *canvas.image().get_pixel(0, 0);
        draw(&mut canvas);
        for tenth in 1..10 {
            let (x, y) = (tenth * width / 10, tenth * height / 10);
            let rows = (30..height - 30).filter(|row| canvas.image().get_pixel(x, *row).0 == [255; 3]).count();
            let columns = (40..width - 40).filter(|column| canvas.image().get_pixel(*column, y).0 == [255; 3]).count();
            assert!(rows > 180 && columns > 240, "{tenth}: {rows} {columns}");
            assert_eq!(*canvas.image().get_pixel(x + 32, y - 24), ground, "{tenth}: between the lines");
        }
    }
}

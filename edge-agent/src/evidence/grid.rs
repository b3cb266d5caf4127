//! A grid of fractions over a picture, labelled along its edges: points of zones and lines are read off it.

use analytics::Point;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point as Place;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::canvas::{Canvas, Ink};

/// Lines of each direction: every tenth, the edges themselves left out.
const TENTHS: std::ops::Range<u32> = 1..10;

/// Pixels of a dash and of the gap behind it: what is below shows through.
const DASH: u32 = 4;

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
    use super::*;
    use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};

    #[test]
    fn every_tenth_has_its_line_and_between_them_is_the_picture() {
        let (width, height) = (640, 480);
        let layout = PictureLayout {
            width,
            height,
            format: PixelFormat::I420,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Full },
            planes: [PlaneLayout { offset: 0, stride: 640 }; 3],
        };
        let picture = Picture::new(layout, Box::new(vec![128; 640 * 480])).expect("fits");
        let mut canvas = Canvas::from_picture(&picture, 4000);
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

//! A picture in RGB to draw on, on its way to a JPEG.
//!
//! Points are fractions of the picture, as everywhere else; strokes and letters are sized for the canvas, so that a
//! thumbnail stays readable. Letters are those of ISO 8859-1; ids and classes need no others.

use std::convert::Infallible;

use analytics::{BBox, Line, Point, Segment, Zone};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point as Place, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_7X13_BOLD, FONT_9X15_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Drawable, Primitive};
use embedded_graphics::primitives::{self, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::RgbImage;

use crate::privacy::{Shareable, shrunk};

/// What is drawn in which colour. The colours keep apart for people with red-green weakness (after Okabe and Ito).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// What the incident is about.
    Subject,
    /// Other tracks.
    Track,
    /// Where an object went.
    Path,
    /// Zones, lines, headings.
    Place,
    /// Scales and notes.
    Note,
}

impl Ink {
    const fn color(self) -> Rgb888 {
        match self {
            Self::Subject => Rgb888::new(0xff, 0x4b, 0x1f),
            Self::Track => Rgb888::new(0x56, 0xb4, 0xe9),
            Self::Path => Rgb888::new(0xff, 0xd4, 0x00),
            Self::Place => Rgb888::new(0x00, 0xe0, 0x9e),
            Self::Note => Rgb888::new(0xff, 0xff, 0xff),
        }
    }

    /// In steps of the canvas's thinnest stroke.
    const fn weight(self) -> u32 {
        match self {
            Self::Subject => 2,
            Self::Track | Self::Path | Self::Place | Self::Note => 1,
        }
    }
}

/// A picture being drawn on.
#[derive(Debug, Clone)]
pub struct Canvas {
    image: RgbImage,
}

impl Canvas {
    /// Of a picture that may be shared: there is no other way to a JPEG.
    #[must_use]
    pub fn new(picture: Shareable) -> Self {
        Self { image: picture.into_image() }
    }

    /// In pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.image.width()
    }

    /// In pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.image.height()
    }

    /// The pixels.
    #[must_use]
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// Reduced to `max_width_px`; itself, when it is not wider.
    #[must_use]
    pub fn shrunk(self, max_width_px: u32) -> Self {
        Self { image: shrunk(self.image, max_width_px) }
    }

    /// As JPEG (4:2:0 below quality 90, of 100).
    #[must_use]
    pub fn jpeg(&self, quality: u8) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let (width, height) = (self.width() as u16, self.height() as u16);
        jpeg_encoder::Encoder::new(&mut jpeg, quality)
            .encode(&self.image, width, height, jpeg_encoder::ColorType::Rgb)
            .expect("a canvas has pixels, no side is too long, and a vector takes every byte");
        jpeg
    }

    /// The outline of a zone with its name, and the way that is allowed through it.
    pub fn zone(&mut self, zone: &Zone, ink: Ink) {
        let corners = zone.polygon.corners();
        self.path(corners, ink);
        if let [first, .., last] = corners {
            self.stroke(*last, *first, ink);
        }
        if let Some(heading) = zone.heading {
            self.arrow(heading, ink);
        }
        let top = corners.iter().copied().min_by(|a, b| a.y.total_cmp(&b.y));
        if let Some(top) = top {
            self.label(top, zone.id.as_str(), ink);
        }
    }

    /// A counting line with its name and its sides, left and right of one who walks it.
    pub fn line(&mut self, line: &Line, ink: Ink) {
        self.arrow(line.segment, ink);
        let (from, to) = (line.segment.from(), line.segment.to());
        let middle = Point::new((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
        self.label(middle, line.id.as_str(), ink);
        // At a right angle in pixels, a few letters away.
        let along = self.pixels(to) - self.pixels(from);
        let length = f64::from(along.x).hypot(f64::from(along.y)).max(1.0);
        let away = f64::from(self.font().character_size.height) * 1.5 / length;
        let side = Place::new((f64::from(along.y) * away) as i32, (-f64::from(along.x) * away) as i32);
        let quarter = Point::new((3.0 * from.x + to.x) / 4.0, (3.0 * from.y + to.y) / 4.0);
        let quarter = self.pixels(quarter);
        self.label_at(quarter + side, "L", ink);
        self.label_at(quarter - side, "R", ink);
    }

    /// From one point to the next.
    pub fn path(&mut self, points: &[Point], ink: Ink) {
        for pair in points.windows(2) {
            self.stroke(pair[0], pair[1], ink);
        }
    }

    /// A segment with a head at its end.
    pub fn arrow(&mut self, segment: Segment, ink: Ink) {
        let (from, to) = (segment.from(), segment.to());
        self.stroke(from, to, ink);
        let (tail, tip) = (self.pixels(from), self.pixels(to));
        let back = tail - tip;
        let length = f64::from(back.x).hypot(f64::from(back.y)).max(1.0);
        let head = f64::from(self.thin()) * 7.0 / length;
        let (x, y) = (f64::from(back.x) * head, f64::from(back.y) * head);
        for (cos, sin) in [(0.87, 0.5), (0.87, -0.5)] {
            let barb = Place::new((x * cos - y * sin) as i32, (x * sin + y * cos) as i32);
            self.stroke_pixels(tip, tip + barb, ink);
        }
    }

    /// A box with a label on its top edge; an empty label is left out.
    pub fn bbox(&mut self, bbox: BBox, label: &str, ink: Ink) {
        let corners = [(bbox.left(), bbox.top()), (bbox.right(), bbox.top()), (bbox.right(), bbox.bottom())];
        let last = Point::new(bbox.left(), bbox.bottom());
        let [a, b, c] = corners.map(|(x, y)| Point::new(x, y));
        self.path(&[a, b, c, last, a], ink);
        if !label.is_empty() {
            let above = Place::new(0, -(self.font().character_size.height as i32) - 2);
            let place = self.pixels(a) + above;
            self.label_at(place, label, ink);
        }
    }

    /// Words on a ground of the ink's colour, their top left corner at `at`, moved so that they are within the picture.
    pub fn label(&mut self, at: Point, words: &str, ink: Ink) {
        let place = self.pixels(at);
        self.label_at(place, words, ink);
    }

    fn label_at(&mut self, place: Place, words: &str, ink: Ink) {
        let font = self.font();
        let letter = font.character_size;
        let size = Size::new(letter.width * words.chars().count() as u32 + 4, letter.height + 2);
        let room = |at: i32, size: u32, all: u32| at.clamp(0, (i64::from(all) - i64::from(size)).max(0) as i32);
        let corner = Place::new(room(place.x, size.width, self.width()), room(place.y, size.height, self.height()));
        let ground = Rectangle::new(corner, size).into_styled(PrimitiveStyle::with_fill(ink.color()));
        let letters = MonoTextStyle::new(font, Rgb888::BLACK);
        let words = Text::with_baseline(words, corner + Place::new(2, 1), letters, Baseline::Top);
        let Ok(()) = ground.draw(self);
        let Ok(_) = words.draw(self);
    }

    fn stroke(&mut self, from: Point, to: Point, ink: Ink) {
        let (from, to) = (self.pixels(from), self.pixels(to));
        self.stroke_pixels(from, to, ink);
    }

    /// On a dark rim, so that it shows on any ground.
    fn stroke_pixels(&mut self, from: Place, to: Place, ink: Ink) {
        let width = self.thin() * ink.weight();
        let line = primitives::Line::new(from, to);
        for (color, width) in [(Rgb888::new(0x18, 0x18, 0x18), width + 2), (ink.color(), width)] {
            let Ok(()) = line.into_styled(PrimitiveStyle::with_stroke(color, width)).draw(self);
        }
    }

    fn pixels(&self, point: Point) -> Place {
        let at = |fraction: f32, size: u32| (fraction * size as f32).round().clamp(-1e6, 1e6) as i32;
        Place::new(at(point.x, self.width()), at(point.y, self.height()))
    }

    /// Of the thinnest stroke.
    fn thin(&self) -> u32 {
        (self.width() / 640).max(1)
    }

    fn font(&self) -> &'static MonoFont<'static> {
        match self.width() {
            0..500 => &FONT_6X10,
            500..1000 => &FONT_7X13_BOLD,
            _ => &FONT_9X15_BOLD,
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width(), self.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(Place { x, y }, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            if let Some(pixel) = self.image.get_pixel_mut_checked(x, y) {
                pixel.0 = [color.r(), color.g(), color.b()];
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32) -> Canvas {
        Canvas { image: RgbImage::from_pixel(width, height, image::Rgb([90, 90, 90])) }
    }

    fn colored(canvas: &Canvas, ink: Ink) -> Vec<(u32, u32)> {
        let color = [ink.color().r(), ink.color().g(), ink.color().b()];
        canvas.image.enumerate_pixels().filter(|(.., pixel)| pixel.0 == color).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn a_box_is_drawn_where_its_fractions_say() {
        let mut canvas = grey(640, 480);
        canvas.bbox(BBox::new(0.25, 0.5, 0.5, 0.75).expect("valid"), "", Ink::Subject);
        let drawn = colored(&canvas, Ink::Subject);
        let near = |a: u32, b: u32| a.abs_diff(b) <= 2;
        assert!(!drawn.is_empty());
        for (x, y) in drawn {
            let on_edge = near(x, 160) || near(x, 320) || near(y, 240) || near(y, 360);
            assert!(on_edge && (158..=322).contains(&x) && (238..=362).contains(&y), "{x} {y}");
        }
    }

    #[test]
    fn a_label_stays_within_the_picture() {
        let mut canvas = grey(320, 240);
        canvas.label(Point::new(0.99, 1.0), "person", Ink::Track);
        let drawn = colored(&canvas, Ink::Track);
        assert!(drawn.iter().any(|(x, _)| *x == 319) && drawn.iter().any(|(_, y)| *y == 239));
        let letters = drawn.iter().map(|(x, _)| x).min().expect("drawn");
        assert!(*letters < 320 - 6 * 6, "all six letters have their ground: {letters}");
    }

    #[test]
    fn left_and_right_of_a_line_are_those_of_one_who_walks_it() {
        // From the top down: the walker's left is the picture's right.
        let mut canvas = grey(640, 480);
        let segment = Segment::new(Point::new(0.5, 0.0), Point::new(0.5, 1.0)).expect("long enough");
        let before = canvas.image.clone();
        let id = analytics::LineId::new("mid").expect("valid");
        canvas.line(&Line { id, segment, anchor: analytics::Anchor::BottomCenter }, Ink::Place);
        let letter_l = letter(&before, "L");
        let letter_r = letter(&before, "R");
        let quarter = |x: std::ops::Range<u32>| {
            let mut dark = 0;
            for y in 100..150 {
                dark += x.clone().filter(|x| canvas.image.get_pixel(*x, y).0 == [0, 0, 0]).count();
            }
            dark
        };
        assert_eq!((quarter(325..380), quarter(280..315)), (letter_l, letter_r), "L on the picture's right");
        assert_ne!(letter_l, letter_r);
    }

    /// Black pixels of a letter.
    fn letter(ground: &RgbImage, word: &str) -> usize {
        let mut canvas = Canvas { image: ground.clone() };
        canvas.label(Point::new(0.3, 0.3), word, Ink::Place);
        canvas.image.pixels().filter(|pixel| pixel.0 == [0, 0, 0]).count()
    }

    #[test]
    fn a_jpeg_is_the_canvas() {
        let mut canvas = grey(320, 240).shrunk(160);
        assert_eq!((canvas.width(), canvas.height()), (160, 120));
        canvas.path(&[Point::new(0.0, 0.5), Point::new(1.0, 0.5)], Ink::Subject);
        let read = image::load_from_memory(&canvas.jpeg(90)).expect("a JPEG").into_rgb8();
        assert_eq!(read.dimensions(), (160, 120));
        let (line, ground) = (read.get_pixel(80, 60).0, read.get_pixel(80, 20).0);
        assert!(line[0] > 150 && line[2] < 130, "{line:?}");
        assert!(ground.iter().all(|level| level.abs_diff(90) < 6), "{ground:?}");
    }

    #[test]
    fn points_far_outside_are_no_trouble() {
        let mut canvas = grey(64, 48);
        canvas.path(&[Point::new(-3.0, 0.5), Point::new(4.0, f32::NAN)], Ink::Path);
        canvas.label(Point::new(-9.0, 9.0), "a very long label that does not fit at all", Ink::Note);
    }
}

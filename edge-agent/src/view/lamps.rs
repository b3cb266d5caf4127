//! The mean colours of traffic signals' lamps, at the picture's full size: lamps are a few pixels wide.

use analytics::view::{Lamp, Lamps};
use analytics::{Point, Polygon, SignalId};

use crate::config::SignalLamps;
use crate::frame::{Picture, PixelFormat};

/// A lamp's pixels, by column and row.
type Pixels = Vec<(usize, usize)>;

/// Reads one camera's lamps; keeps where their pixels are while the picture's size stays.
#[derive(Debug, Default)]
pub struct LampReader {
    signals: Vec<SignalLamps>,
    size: (u32, u32),
    /// Of each signal: red, amber, green.
    pixels: Vec<[Option<Pixels>; 3]>,
    seen: Vec<(SignalId, Lamps)>,
}

impl LampReader {
    /// For these signals.
    #[must_use]
    pub fn new(signals: Vec<SignalLamps>) -> Self {
        Self { signals, ..Self::default() }
    }

    /// The lamps of this picture.
    pub fn read(&mut self, picture: &Picture) -> &[(SignalId, Lamps)] {
        let size = (picture.width(), picture.height());
        if self.size != size {
            let of = |lamp: &Option<Polygon>| lamp.as_ref().map(|polygon| pixels(polygon, size));
            self.pixels = self.signals.iter().map(|s| [of(&s.red), of(&s.amber), of(&s.green)]).collect();
            self.size = size;
        }
        self.seen.clear();
        for (signal, [red, amber, green]) in self.signals.iter().zip(&self.pixels) {
            let of = |pixels: &Option<Pixels>| pixels.as_ref().map(|pixels| mean(picture, pixels));
            self.seen.push((signal.id.clone(), Lamps { red: of(red), amber: of(amber), green: of(green) }));
        }
        &self.seen
    }
}

/// Column and row of the pixels whose middle lies in the polygon; at least one.
fn pixels(polygon: &Polygon, (width, height): (u32, u32)) -> Pixels {
    let middle = |pixel: u32, of: u32| (pixel as f32 + 0.5) / of as f32;
    let span = |of: u32, along: fn(&Point) -> f32| {
        let ends = polygon.corners().iter().map(along);
        let (first, last) = ends.fold((1.0_f32, 0.0_f32), |(a, b), at| (a.min(at), b.max(at)));
        (first * of as f32) as u32..((last * of as f32).ceil() as u32).min(of)
    };
    let (columns, rows) = (span(width, |point| point.x), span(height, |point| point.y));
    let all = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    let inside = all.filter(|(x, y)| polygon.contains(Point::new(middle(*x, width), middle(*y, height))));
    let mut pixels: Pixels = inside.map(|(x, y)| (x as usize, y as usize)).collect();
    if pixels.is_empty() {
        let at = |share: f32, of: u32| ((share * of as f32) as usize).min(of as usize - 1);
        pixels.extend(polygon.corners().first().map(|corner| (at(corner.x, width), at(corner.y, height))));
    }
    pixels
}

fn mean(picture: &Picture, pixels: &[(usize, usize)]) -> Lamp {
    let (mut y_sum, mut u_sum, mut v_sum) = (0_u32, 0_u32, 0_u32);
    for (x, y) in pixels {
        y_sum += u32::from(picture.row(0, *y)[*x]);
        let (u, v) = match picture.layout().format {
            PixelFormat::I420 => (picture.row(1, y / 2)[x / 2], picture.row(2, y / 2)[x / 2]),
            PixelFormat::Nv12 => {
                let row = picture.row(1, y / 2);
                (row[x / 2 * 2], row[x / 2 * 2 + 1])
            }
        };
        u_sum += u32::from(u);
        v_sum += u32::from(v);
    }
    let mean = |sum: u32| sum as f32 / pixels.len().max(1) as f32;
    Lamp { y: mean(y_sum), u: mean(u_sum), v: mean(v_sum) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::picture;

    fn square(left: f32, top: f32, edge: f32) -> Option<Polygon> {
        let p = Point::new;
        let corners = vec![p(left, top), p(left + edge, top), p(left + edge, top + edge), p(left, top + edge)];
        Some(Polygon::new(corners).expect("simple"))
    }

    #[test]
    fn lamps_have_the_mean_of_their_own_pixels_in_both_layouts_and_at_any_size() {
        let id = SignalId::new("main").expect("id");
        let signal = SignalLamps { id, red: square(0.5, 0.1, 0.1), amber: None, green: square(0.5, 0.8, 0.002) };
        let mut reader = LampReader::new(vec![signal]);
        for format in [PixelFormat::I420, PixelFormat::Nv12] {
            for (width, height) in [(640, 360), (355, 241)] {
                let picture = picture(format, width, height, 90, 170);
                let (_, lamps) = reader.read(&picture)[0].clone();
                let of = |y| Some(Lamp { y, u: 90.0, v: 170.0 });
                assert_eq!((lamps.red, lamps.amber, lamps.green), (of(40.0), None, of(200.0)), "{format:?}");
            }
        }
    }
}

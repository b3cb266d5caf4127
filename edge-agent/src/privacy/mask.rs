//! Masks: parts of a camera's picture that nothing of the program ever sees.
//!
//! They are grey in the picture's planes before the first look at them: [`Picture::row`](crate::frame::Picture::row) is the only
//! way to a pixel, and paints first. So whatever is made of a picture has them: tensors, the core's grey view, the motion
//! gate's blocks, colours of lamps, evidence, the status page. Solid, and not blurred: a mask hides a place that stands still,
//! and what a blur leaves of it adds up over thousands of frames; movement behind a blur would be detected, too.
//!
//! # Invariants
//! - Every sample that covers a part of a mask is painted, however small that part is: edges are rounded outwards, chroma to its
//!   own coarser samples.
//! - A picture that nobody looks at costs nothing, and so does a camera without masks.
//!
//! # Failure
//! There is none to give way to: a panic while painting is the panic of who looked.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use analytics::{Point, Polygon};

use crate::frame::{PictureLayout, PixelFormat};

/// Of luma and of chroma: no colour, and neither light nor dark.
const GREY: u8 = 128;

/// Sizes of pictures whose masks are kept laid out: those of the two streams, and some that a camera may change to.
const SIZES: usize = 4;

/// Columns and rows in which shares of the picture are told.
const CELLS: u32 = 128;

/// A camera's masks; cheap to clone. Default: none.
#[derive(Debug, Clone, Default)]
pub struct Masks(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    polygons: Vec<Polygon>,
    shapes: Mutex<Vec<Arc<Shape>>>,
}

impl Masks {
    /// Masks over these polygons.
    #[must_use]
    pub fn new(polygons: Vec<Polygon>) -> Self {
        let is_any = !polygons.is_empty();
        Self(is_any.then(|| Arc::new(Inner { polygons, shapes: Mutex::default() })))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Their outlines.
    #[must_use]
    pub fn polygons(&self) -> &[Polygon] {
        self.0.as_ref().map_or(&[], |inner| &inner.polygons)
    }

    /// Whether this point is under one.
    #[must_use]
    pub fn cover(&self, point: Point) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.polygons.iter().any(|mask| mask.contains(point)))
    }

    /// The share of the picture that is under masks, 0 to 1, each place counted once.
    #[must_use]
    pub fn share(&self) -> f32 {
        let middle = |cell: u32| (cell as f32 + 0.5) / CELLS as f32;
        let places = (0..CELLS * CELLS).map(|cell| Point::new(middle(cell % CELLS), middle(cell / CELLS)));
        places.filter(|place| self.cover(*place)).count() as f32 / (CELLS * CELLS) as f32
    }

    /// Whether any part of a cell of a grid over the picture is under a mask, row by row.
    pub(crate) fn cells(&self, columns: usize, rows: usize) -> Vec<bool> {
        let mut cells = vec![false; columns * rows];
        if let Some(inner) = &self.0 {
            for (row, spans) in spans(&inner.polygons, columns, rows).iter().enumerate() {
                spans.iter().for_each(|span| cells[row * columns..][span.clone()].fill(true));
            }
        }
        cells
    }

    /// The rows of a picture that have something of a mask, painted; `source` gives a row of a plane.
    pub(crate) fn paint<'a>(&self, layout: &PictureLayout, source: impl Fn(usize, usize) -> &'a [u8]) -> Painted {
        let Some(inner) = &self.0 else { return Painted::default() };
        let shape = inner.shape(layout.width as usize, layout.height as usize);
        let mut painted = Painted::default();
        for plane in 0..layout.plane_count() {
            let (rows, step) = match (plane, layout.format) {
                (0, _) => (&shape.luma, 1),
                (_, PixelFormat::I420) => (&shape.chroma, 1),
                (_, PixelFormat::Nv12) => (&shape.chroma, 2),
            };
            painted.planes[plane] = rows.paint(layout.plane_size(plane).0, step, |y| source(plane, y));
        }
        painted
    }
}

impl Inner {
    fn shape(&self, width: usize, height: usize) -> Arc<Shape> {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = shapes.iter().find(|shape| shape.size == (width, height)) {
            return Arc::clone(shape);
        }
        if shapes.len() >= SIZES {
            shapes.remove(0);
        }
        let shape = Arc::new(Shape::new(&self.polygons, width, height));
        shapes.push(Arc::clone(&shape));
        shape
    }
}

/// The masked samples of pictures of one size.
#[derive(Debug)]
struct Shape {
    size: (usize, usize),
    luma: Rows,
    chroma: Rows,
}

impl Shape {
    fn new(polygons: &[Polygon], width: usize, height: usize) -> Self {
        let luma = spans(polygons, width, height);
        let halved = |span: &Range<usize>| span.start / 2..span.end.div_ceil(2);
        let chroma = luma.chunks(2).map(|pair| merged(pair.iter().flatten().map(halved).collect())).collect();
        Self { size: (width, height), luma: Rows::new(luma), chroma: Rows::new(chroma) }
    }
}

/// The masked columns of those rows of a plane between the first and the last that have any.
#[derive(Debug)]
struct Rows {
    first: usize,
    spans: Vec<Vec<Range<usize>>>,
}

impl Rows {
    fn new(mut spans: Vec<Vec<Range<usize>>>) -> Self {
        let first = spans.iter().position(|row| !row.is_empty()).unwrap_or(spans.len());
        let end = spans.iter().rposition(|row| !row.is_empty()).map_or(first, |last| last + 1);
        spans.truncate(end);
        Self { first, spans: spans.split_off(first.min(end)) }
    }

    fn paint<'a>(&self, row_bytes: usize, step: usize, source: impl Fn(usize) -> &'a [u8]) -> PaintedPlane {
        let mut data = Vec::with_capacity(self.spans.len() * row_bytes);
        for (index, spans) in self.spans.iter().enumerate() {
            let start = data.len();
            data.extend_from_slice(source(self.first + index));
            for span in spans {
                data[start..][span.start * step..span.end * step].fill(GREY);
            }
        }
        PaintedPlane { first: self.first, row_bytes, data: data.into_boxed_slice() }
    }
}

/// The rows of a picture that have something of a mask.
#[derive(Debug, Default)]
pub(crate) struct Painted {
    planes: [PaintedPlane; 3],
}

#[derive(Debug, Default)]
struct PaintedPlane {
    first: usize,
    row_bytes: usize,
    data: Box<[u8]>,
}

impl Painted {
    /// Row `y` of a plane; `None`: nothing of it is masked.
    pub(crate) fn row(&self, plane: usize, y: usize) -> Option<&[u8]> {
        let PaintedPlane { first, row_bytes, data } = &self.planes[plane];
        data.get(y.checked_sub(*first)? * row_bytes..)
            .and_then(|rest| rest.get(..*row_bytes))
            .filter(|_| *row_bytes > 0)
    }
}

/// Of each row of a grid, the columns that any of the polygons touches, ascending and apart.
fn spans(polygons: &[Polygon], columns: usize, rows: usize) -> Vec<Vec<Range<usize>>> {
    let scaled = |polygon: &Polygon| -> Vec<(f64, f64)> {
        let corners = polygon.corners().iter();
        corners.map(|corner| (f64::from(corner.x) * columns as f64, f64::from(corner.y) * rows as f64)).collect()
    };
    let polygons: Vec<Vec<(f64, f64)>> = polygons.iter().map(scaled).collect();
    let row = |row: usize| {
        let mut touched = Vec::new();
        polygons.iter().for_each(|corners| strip(corners, row as f64, (row + 1) as f64, &mut touched));
        let whole = touched.into_iter().map(|(left, right)| {
            (left.floor().max(0.0) as usize).min(columns)..(right.ceil().max(0.0) as usize).min(columns)
        });
        merged(whole.collect())
    };
    (0..rows).map(row).collect()
}

/// What a polygon covers of the strip between two heights, as intervals of x: between two neighbouring corner heights its
/// edges do not cross, so that they bound it in pairs (even-odd), widest at one of the two.
fn strip(corners: &[(f64, f64)], top: f64, bottom: f64, touched: &mut Vec<(f64, f64)>) {
    let mut heights: Vec<f64> = corners.iter().map(|corner| corner.1).filter(|y| *y > top && *y < bottom).collect();
    heights.extend([top, bottom]);
    heights.sort_by(f64::total_cmp);
    for pair in heights.windows(2).filter(|pair| pair[0] < pair[1]) {
        let middle = f64::midpoint(pair[0], pair[1]);
        let ends = corners.iter().zip(corners.iter().cycle().skip(1));
        let crossing = ends.filter(|(from, to)| (from.1 < middle) != (to.1 < middle));
        let mut edges: Vec<[f64; 2]> = crossing
            .map(|(from, to)| {
                let at = |y: f64| from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0);
                [at(pair[0]), at(pair[1])]
            })
            .collect();
        edges.sort_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1])));
        touched.extend(edges.chunks_exact(2).map(|of| (of[0][0].min(of[0][1]), of[1][0].max(of[1][1]))));
    }
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Picture;
    use crate::view::tests::picture;

    fn polygon(corners: &[(f32, f32)]) -> Polygon {
        Polygon::new(corners.iter().map(|(x, y)| Point::new(*x, *y)).collect()).expect("simple")
    }

    fn square(left: f32, top: f32, right: f32, bottom: f32) -> Polygon {
        polygon(&[(left, top), (right, top), (right, bottom), (left, bottom)])
    }

    fn luma(picture: &Picture, x: usize, y: usize) -> u8 {
        picture.row(0, y)[x]
    }

    #[test]
    fn what_is_masked_is_grey_in_every_plane_and_the_rest_is_as_it_was() {
        for format in [PixelFormat::I420, PixelFormat::Nv12] {
            for (width, height) in [(64, 48), (61, 47)] {
                let plain = picture(format, width, height, 90, 170);
                let masks = Masks::new(vec![square(0.25, 0.25, 0.5, 0.75)]);
                let masked = picture(format, width, height, 90, 170).masked(&masks);
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let within = |at: usize, of: usize, from: f64, to: f64| {
                        (at + 1) as f64 > from * of as f64 && (at as f64) < to * of as f64
                    };
                    let is_masked = within(x, width, 0.25, 0.5) && within(y, height, 0.25, 0.75);
                    let expected = if is_masked { GREY } else { luma(&plain, x, y) };
                    assert_eq!(luma(&masked, x, y), expected, "{format:?} {x} {y}");
                    let chroma = |plane: usize, offset: usize| match format {
                        PixelFormat::I420 => masked.row(plane, y / 2)[x / 2],
                        PixelFormat::Nv12 => masked.row(1, y / 2)[x / 2 * 2 + offset],
                    };
                    let colours = [chroma(1, 0), chroma(2, 1)];
                    assert!(if is_masked { colours == [GREY; 2] } else { true }, "{format:?} {x} {y}: {colours:?}");
                }
                let far = masked.row(1, 0);
                assert_eq!(far[0], 90, "colour far from a mask stays");
            }
        }
    }

    #[test]
    fn a_picture_that_nobody_looks_at_is_not_painted() {
        let masks = Masks::new(vec![square(0.0, 0.0, 0.5, 0.5)]);
        let picture = picture(PixelFormat::I420, 64, 48, 128, 128).masked(&masks);
        let shapes = || masks.0.as_ref().expect("some").shapes.lock().expect("not poisoned").len();
        assert_eq!(shapes(), 0);
        assert_eq!(luma(&picture, 0, 0), GREY);
        assert_eq!(shapes(), 1);
    }

    #[test]
    fn several_masks_are_one_and_each_place_counts_once() {
        let masks = Masks::new(vec![square(0.0, 0.0, 0.5, 1.0), square(0.25, 0.0, 0.75, 1.0)]);
        assert!((masks.share() - 0.75).abs() < 0.01, "{}", masks.share());
        assert!(masks.cover(Point::new(0.7, 0.5)) && !masks.cover(Point::new(0.8, 0.5)));
        assert_eq!(masks.cells(4, 1), [true, true, true, false]);
        assert_eq!((Masks::default().share(), Masks::new(Vec::new()).is_empty()), (0.0, true));
    }

    #[test]
    fn a_picture_that_changes_its_size_is_masked_at_the_new_one() {
        let masks = Masks::new(vec![square(0.5, 0.0, 1.0, 1.0)]);
        for width in [64, 32, 128, 16, 8, 64] {
            let picture = picture(PixelFormat::I420, width, 48, 128, 128).masked(&masks);
            assert_eq!((luma(&picture, width / 2, 0), luma(&picture, width / 2 - 1, 0)), (GREY, 40), "{width}");
        }
    }

    fn simple() -> impl Strategy<Value = Polygon> {
        // Around a middle, by angle: never crosses itself.
        let corner = (0.05_f32..0.5, 0.0_f32..1.0);
        (prop::collection::vec(corner, 3..9)).prop_filter_map("has an area", |mut corners| {
            corners.sort_by(|a, b| a.1.total_cmp(&b.1));
            let at = |(radius, turn): (f32, f32)| {
                let angle = turn * std::f32::consts::TAU;
                Point::new(0.5 + radius * angle.cos(), 0.5 + radius * angle.sin())
            };
            Polygon::new(corners.into_iter().map(at).collect()).ok()
        })
    }

    proptest! {
        /// Whatever point of a cell is under a mask, the cell is masked; and a cell is masked only if some mask is near it.
        #[test]
        fn every_sample_that_covers_a_part_of_a_mask_is_painted(
            polygons in prop::collection::vec(simple(), 1..3),
            columns in 3_usize..40,
            rows in 3_usize..40,
            points in prop::collection::vec((0.0_f32..1.0, 0.0_f32..1.0), 64),
        ) {
            let masks = Masks::new(polygons);
            let cells = masks.cells(columns, rows);
            for (x, y) in points {
                let cell = (y * rows as f32) as usize * columns + (x * columns as f32) as usize;
                // A point on the very border of two cells may fall to either.
                let is_inner = |at: f32, of: usize| (at * of as f32).fract() > 1e-3 && (at * of as f32).fract() < 0.999;
                if masks.cover(Point::new(x, y)) && is_inner(x, columns) && is_inner(y, rows) {
                    prop_assert!(cells[cell], "{} {}", x, y);
                }
            }
            for (index, masked) in cells.iter().enumerate() {
                let (x, y) = ((index % columns) as f32, (index / columns) as f32);
                let inner = masks.0.as_ref().expect("some");
                let is_near = |point: Point| {
                    let (i, j) = (point.x * columns as f32 - x, point.y * rows as f32 - y);
                    (-1.0..=2.0).contains(&i) && (-1.0..=2.0).contains(&j)
                };
                let mut edges = inner.polygons.iter().flat_map(|mask| {
                    let ends = mask.corners().iter().zip(mask.corners().iter().cycle().skip(1));
                    ends.flat_map(|(a, b)| (0..=400).map(move |step| {
                        let along = step as f32 / 400.0;
                        Point::new(a.x + along * (b.x - a.x), a.y + along * (b.y - a.y))
                    }))
                });
                let middle = Point::new((x + 0.5) / columns as f32, (y + 0.5) / rows as f32);
                prop_assert!(!masked || masks.cover(middle) || edges.any(is_near), "{}", index);
            }
        }
    }
}

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::detect::manifest::Layout;
use crate::frame::{Colorimetry, Matrix, PictureLayout, PixelFormat, PlaneLayout, Range};

const BT601: Colorimetry = Colorimetry { matrix: Matrix::Bt601, range: Range::Limited };

fn input(width: usize, height: usize, letterbox: Letterbox) -> Input {
    Input {
        name: "image".into(),
        width,
        height,
        layout: Layout::Nchw,
        color: ColorOrder::Rgb,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        letterbox,
        pad: 114,
    }
}

fn whole() -> BBox {
    BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box")
}

/// A picture of these planes, in the format, with `padding` junk bytes after each row and before each plane.
fn picture(planes: &Planes, format: PixelFormat, colorimetry: Colorimetry, padding: usize) -> Picture {
    let (width, half) = (planes.width, planes.width.div_ceil(2));
    let interleaved: Vec<u8> = planes.u.iter().zip(&planes.v).flat_map(|(u, v)| [*u, *v]).collect();
    let sources: Vec<(&[u8], usize)> = match format {
        PixelFormat::I420 => vec![(&planes.y, width), (&planes.u, half), (&planes.v, half)],
        PixelFormat::Nv12 => vec![(&planes.y, width), (&interleaved, 2 * half)],
    };
    let (mut data, mut layouts) = (Vec::new(), [PlaneLayout::default(); 3]);
    for (plane, (bytes, row)) in sources.into_iter().enumerate() {
        data.extend(vec![255; padding]);
        layouts[plane] = PlaneLayout { offset: data.len(), stride: row + padding };
        for line in bytes.chunks(row) {
            data.extend_from_slice(line);
            data.extend(vec![255; padding]);
        }
    }
    let layout =
        PictureLayout { width: width as u32, height: planes.height as u32, format, colorimetry, planes: layouts };
    Picture::new(layout, Box::new(data)).expect("the planes fit")
}

#[derive(Debug, Clone)]
struct Planes {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

/// The definition, step by step in f64: chroma to full size, colours, crop, then OpenCV's `INTER_LINEAR`.
struct Reference {
    width: usize,
    height: usize,
    rgb: Vec<[f64; 3]>,
}

fn bilinear(at: impl Fn(usize, usize) -> f64, x: f64, y: f64, width: usize, height: usize) -> f64 {
    let (x, y) = (x.clamp(0.0, (width - 1) as f64), y.clamp(0.0, (height - 1) as f64));
    let (left, top) = (x.floor() as usize, y.floor() as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (fx, fy) = (x - left as f64, y - top as f64);
    let upper = at(left, top) * (1.0 - fx) + at(right, top) * fx;
    let lower = at(left, bottom) * (1.0 - fx) + at(right, bottom) * fx;
    upper * (1.0 - fy) + lower * fy
}

impl Reference {
    fn new(planes: &Planes, colorimetry: Colorimetry) -> Self {
        let (half_width, half_height) = (planes.width.div_ceil(2), planes.height.div_ceil(2));
        let (kr, kb) = if colorimetry.matrix == Matrix::Bt601 { (0.299, 0.114) } else { (0.2126, 0.0722) };
        let mut rgb = Vec::new();
        for row in 0..planes.height {
            for column in 0..planes.width {
                let chroma = |plane: &[u8]| {
                    let at = |x, y| f64::from(plane[y * half_width + x]);
                    bilinear(at, column as f64 / 2.0, (row as f64 - 0.5) / 2.0, half_width, half_height)
                };
                let (y, cb, cr) =
                    (f64::from(planes.y[row * planes.width + column]), chroma(&planes.u), chroma(&planes.v));
                let (y, cb, cr) = match colorimetry.range {
                    Range::Limited => ((y - 16.0) / 219.0, (cb - 128.0) / 224.0, (cr - 128.0) / 224.0),
                    Range::Full => (y / 255.0, (cb - 128.0) / 255.0, (cr - 128.0) / 255.0),
                };
                let (r, b) = (y + (2.0 - 2.0 * kr) * cr, y + (2.0 - 2.0 * kb) * cb);
                let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
                rgb.push([r, g, b].map(|c| (c * 255.0).clamp(0.0, 255.0)));
            }
        }
        Self { width: planes.width, height: planes.height, rgb }
    }

    /// Of the crop scaled to `width × height`: colour `c` at a pixel.
    fn scaled(&self, [left, top, right, bottom]: [usize; 4], width: usize, height: usize) -> Vec<[f64; 3]> {
        assert!(right <= self.width && bottom <= self.height);
        let (across, down) = (right - left, bottom - top);
        let mut out = Vec::new();
        for row in 0..height {
            for column in 0..width {
                let x = (column as f64 + 0.5) * across as f64 / width as f64 - 0.5;
                let y = (row as f64 + 0.5) * down as f64 / height as f64 - 0.5;
                out.push(
                    [0, 1, 2]
                        .map(|c| bilinear(|x, y| self.rgb[(top + y) * self.width + left + x][c], x, y, across, down)),
                );
            }
        }
        out
    }
}

fn differences(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let all: Vec<f64> = a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).collect();
    (all.iter().sum::<f64>() / all.len() as f64, all.iter().copied().fold(0.0, f64::max))
}

fn planes_strategy() -> impl Strategy<Value = Planes> {
    (1usize..48, 1usize..48, any::<u64>()).prop_map(|(width, height, seed)| {
        // Waves with a step, within the gamut: where colours clip, clipping before or after scaling differs.
        let wave = |plane: u64, count: usize, row: usize, strength: f64| -> Vec<u8> {
            let phase = |bits: u32| ((seed >> (bits + plane as u32 * 5)) & 31) as f64 / 5.0;
            (0..count)
                .map(|i| {
                    let (x, y) = ((i % row) as f64, (i / row) as f64);
                    let step = if x > y + phase(0) * 3.0 { 0.4 } else { -0.4 };
                    (128.0 + strength * (step + 0.6 * (x / 4.0 + phase(8)).sin() * (y / 5.0 + phase(16)).cos())) as u8
                })
                .collect()
        };
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let half = half_width * half_height;
        Planes {
            width,
            height,
            y: wave(0, width * height, width, 45.0),
            u: wave(1, half, half_width, 35.0),
            v: wave(2, half, half_width, 35.0),
        }
    })
}

fn colorimetry_strategy() -> impl Strategy<Value = Colorimetry> {
    let matrix = prop_oneof![Just(Matrix::Bt601), Just(Matrix::Bt709)];
    let range = prop_oneof![Just(Range::Limited), Just(Range::Full)];
    (matrix, range).prop_map(|(matrix, range)| Colorimetry { matrix, range })
}

fn format_strategy() -> impl Strategy<Value = PixelFormat> {
    prop_oneof![Just(PixelFormat::I420), Just(PixelFormat::Nv12)]
}

proptest! {
    #[test]
    fn a_stretched_picture_agrees_with_the_definition(
        planes in planes_strategy(), format in format_strategy(), colors in colorimetry_strategy(),
        padding in 0usize..9, width in 16usize..64, height in 16usize..64,
    ) {
        let mut tensor = InputTensor::new(&input(width, height, Letterbox::Stretch));
        tensor.fill(&picture(&planes, format, colors, padding), whole());
        let expected = Reference::new(&planes, colors).scaled([0, 0, planes.width, planes.height], width, height);
        let expected = (0..3).flat_map(|c| expected.iter().map(move |rgb| rgb[c]));
        let (mean, most) = differences(tensor.data().iter().map(|v| f64::from(*v)), expected);
        prop_assert!(mean < 1.0, "mean difference {mean}, most {most}");
    }

    #[test]
    fn nv12_gives_what_i420_gives(planes in planes_strategy(), colors in colorimetry_strategy(), padding in 0usize..9) {
        let mut tensor = InputTensor::new(&input(32, 24, Letterbox::Center));
        tensor.fill(&picture(&planes, PixelFormat::I420, colors, 0), whole());
        let i420 = tensor.data().to_vec();
        tensor.fill(&picture(&planes, PixelFormat::Nv12, colors, padding), whole());
        prop_assert_eq!(i420, tensor.data());
    }

    #[test]
    fn the_cpu_makes_no_difference(planes in planes_strategy(), format in format_strategy()) {
        let mut tensor = InputTensor::new(&input(50, 38, Letterbox::Center));
        let picture = picture(&planes, format, BT601, 1);
        tensor.fill(&picture, whole());
        let detected = tensor.data().to_vec();
        tensor.fill_by(&picture, whole(), |job| job.run_rows());
        prop_assert_eq!(detected, tensor.data());
    }

    #[test]
    fn a_region_is_what_a_picture_of_it_would_be(
        planes in planes_strategy().prop_filter("room for a region", |p| p.width > 8 && p.height > 8),
        colors in colorimetry_strategy(), (l, t, r, b) in (0usize..4, 0usize..4, 5usize..9, 5usize..9),
    ) {
        let region = BBox::new(
            l as f32 / planes.width as f32, t as f32 / planes.height as f32,
            r as f32 / planes.width as f32, b as f32 / planes.height as f32,
        ).expect("a box");
        let mut tensor = InputTensor::new(&input(20, 18, Letterbox::Stretch));
        let placement = tensor.fill(&picture(&planes, PixelFormat::I420, colors, 3), region);
        prop_assert!((placement.region().iou(region) - 1.0).abs() < 1e-4);
        let expected = Reference::new(&planes, colors).scaled([l, t, r, b], 20, 18);
        let expected = (0..3).flat_map(|c| expected.iter().map(move |rgb| rgb[c]));
        let (mean, most) = differences(tensor.data().iter().map(|v| f64::from(*v)), expected);
        prop_assert!(mean < 1.0, "mean difference {mean}, most {most}");
    }

    #[test]
    fn boxes_come_back_from_the_tensor_to_their_place(
        (width, height) in (64u32..2000, 64u32..2000), (l, t) in (0.0f32..0.5, 0.0f32..0.5),
        (w, h) in (0.2f32..0.5, 0.2f32..0.5), letterbox in 0usize..3,
    ) {
        let letterbox = [Letterbox::Stretch, Letterbox::TopLeft, Letterbox::Center][letterbox];
        let key = {
            let pixels = vec![0u8; (width * height * 2) as usize];
            let layout = PictureLayout {
                width, height, format: PixelFormat::I420, colorimetry: BT601,
                planes: [PlaneLayout { offset: 0, stride: width as usize }; 3],
            };
            let picture = Picture::new(layout, Box::new(pixels)).expect("fits");
            SourceKey::new(&picture, BBox::new(l, t, l + w, t + h).expect("a box"))
        };
        let content = content(key.crop, &input(300, 200, letterbox));
        let placement = Placement::new(key, content);
        // The content's corners are the region's; its middle the region's middle.
        let (x, y) = (content.left as f32, content.top as f32);
        let corners = [x, y, x + content.width as f32, y + content.height as f32];
        let back = placement.image_from_tensor(corners).expect("inside");
        prop_assert!(back.iou(placement.region()) > 0.999);
        let middle = placement.image_from_tensor([corners[0], corners[1], (corners[0] + corners[2]) / 2.0, corners[3]]);
        let middle = middle.expect("inside").right();
        prop_assert!((middle - placement.region().center().x).abs() < 1e-4);
        // What lies in the border around it is outside the region.
        prop_assert_eq!(placement.image_from_tensor([-50.0, -50.0, x, y]), None);
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    picture: [usize; 2],
    matrix: String,
    full: bool,
    crop: [usize; 4],
    tensor: [usize; 2],
    letterbox: String,
    pad: u8,
}

fn data() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/detect/planes"))
}

#[test]
fn recorded_pictures_agree_with_opencv() {
    let cases: Vec<Case> =
        serde_json::from_slice(&fs::read(data().join("cases.json")).expect("cases.json")).expect("a list of cases");
    assert!(!cases.is_empty());
    for case in cases {
        let bytes = fs::read(data().join(format!("{}.bin", case.name))).expect("the case's bytes");
        let [width, height] = case.picture;
        let half = width.div_ceil(2) * height.div_ceil(2);
        let (y, rest) = bytes.split_at(width * height);
        let (u, rest) = rest.split_at(half);
        let (v, expected) = rest.split_at(half);
        let planes = Planes { width, height, y: y.to_vec(), u: u.to_vec(), v: v.to_vec() };
        let colors = Colorimetry {
            matrix: if case.matrix == "bt709" { Matrix::Bt709 } else { Matrix::Bt601 },
            range: if case.full { Range::Full } else { Range::Limited },
        };
        let letterbox = match case.letterbox.as_str() {
            "top-left" => Letterbox::TopLeft,
            "center" => Letterbox::Center,
            _ => Letterbox::Stretch,
        };
        let fraction = |i: usize| case.crop[i] as f32 / case.picture[i % 2] as f32;
        let region = BBox::new(fraction(0), fraction(1), fraction(2), fraction(3)).expect("a box");
        let mut tensor = InputTensor::new(&Input { pad: case.pad, ..input(case.tensor[0], case.tensor[1], letterbox) });
        for format in [PixelFormat::I420, PixelFormat::Nv12] {
            tensor.fill(&picture(&planes, format, colors, 5), region);
            let own = tensor.data().iter().map(|v| f64::from(*v));
            let (mean, most) = differences(own, expected.iter().map(|v| f64::from(*v)));
            assert!(mean < 1.0, "{} {format:?}: mean difference {mean}, most {most}", case.name);
        }
    }
}

fn flat(width: usize, height: usize, [y, u, v]: [u8; 3]) -> Planes {
    let half = width.div_ceil(2) * height.div_ceil(2);
    Planes { width, height, y: vec![y; width * height], u: vec![u; half], v: vec![v; half] }
}

#[test]
fn colours_are_in_the_order_and_scale_of_the_manifest() {
    // BT.601 limited: 81, 90, 240 is pure red.
    let red = picture(&flat(20, 20, [81, 90, 240]), PixelFormat::I420, BT601, 0);
    let mut rgb = InputTensor::new(&input(16, 16, Letterbox::Stretch));
    rgb.fill(&red, whole());
    let plane = |tensor: &InputTensor, c: usize| tensor.data()[c * 256 + 100];
    assert!((plane(&rgb, 0) - 255.0).abs() < 1.5 && plane(&rgb, 1) < 1.5 && plane(&rgb, 2) < 1.5);
    let mut bgr = InputTensor::new(&Input {
        color: ColorOrder::Bgr,
        scale: 1.0 / 255.0,
        mean: [0.1, 0.2, 0.5],
        std: [1.0, 2.0, 0.25],
        ..input(16, 16, Letterbox::Stretch)
    });
    bgr.fill(&red, whole());
    let expected = [-0.1, -0.1, (1.0 - 0.5) / 0.25];
    for (c, expected) in expected.into_iter().enumerate() {
        assert!((plane(&bgr, c) - expected).abs() < 0.03, "plane {c}: {} is not {expected}", plane(&bgr, c));
    }
}

#[test]
fn the_border_is_padded_anew_when_the_shape_changes() {
    let mut tensor = InputTensor::new(&input(32, 32, Letterbox::TopLeft));
    let white = [235, 128, 128];
    tensor.fill(&picture(&flat(40, 40, white), PixelFormat::I420, BT601, 0), whole());
    tensor.fill(&picture(&flat(40, 20, white), PixelFormat::I420, BT601, 0), whole());
    assert!(tensor.data()[..32 * 16].iter().all(|v| (v - 255.0).abs() < 0.5));
    assert!(tensor.data()[32 * 16..32 * 32].iter().all(|v| *v == 114.0));
}

#[test]
fn a_region_beyond_the_picture_ends_at_its_edge() {
    let mut tensor = InputTensor::new(&input(16, 16, Letterbox::Stretch));
    let grey = picture(&flat(10, 10, [126, 128, 128]), PixelFormat::I420, BT601, 0);
    let region = BBox::new(0.95, -1.0, 3.0, 0.2).expect("a box");
    let placement = tensor.fill(&grey, region);
    assert_eq!(placement.region(), BBox::new(0.9, 0.0, 1.0, 0.2).expect("a box"));
    let all = placement.image_from_tensor([-9.0, -9.0, 99.0, 99.0]).expect("it covers the region");
    assert!(all.iou(placement.region()) > 0.999);
    assert_eq!(placement.image_from_tensor([f32::NAN, 0.0, 1.0, 1.0]), None);
}

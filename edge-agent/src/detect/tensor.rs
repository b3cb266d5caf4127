//! From planes to tensor in one pass: crop, letterbox, bilinear scaling, colour and layout, without a full-size RGB picture.
//!
//! Scaling is bilinear with pixel centres at halves and edges repeated, as OpenCV's `INTER_LINEAR`: it is what the models
//! were measured with. Chroma is taken to lie on the left luma column of its pair and between its two rows (MPEG-2
//! siting, ITU-T H.262 6.1.1.8).
//!
//! # Ownership
//! One [`InputTensor`] belongs to one inference worker. Its buffers are reused: after the first pictures nothing
//! allocates.

mod rows;

use analytics::BBox;

use self::rows::{Color, Job, Lanes};
use crate::detect::manifest::{ColorOrder, Input, Letterbox};
use crate::frame::Picture;

/// A network's input, f32 `[1, 3, height, width]`, filled again and again from pictures.
#[derive(Debug)]
pub struct InputTensor {
    input: Input,
    data: Vec<f32>,
    /// Where the picture was last put: the border around it is written only when this changes.
    content: Option<Rect>,
    /// What `fit` is for.
    source: Option<SourceKey>,
    fit: Fit,
    lanes: Lanes,
}

impl InputTensor {
    /// A tensor of the manifest's size, not yet filled.
    #[must_use]
    pub fn new(input: &Input) -> Self {
        Self {
            data: vec![0.0; 3 * input.width * input.height],
            input: input.clone(),
            content: None,
            source: None,
            fit: Fit::default(),
            lanes: Lanes::default(),
        }
    }

    /// `[1, 3, height, width]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        [1, 3, self.input.height, self.input.width]
    }

    /// The values, colour plane by colour plane, row by row.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Writes the part of the picture inside `region` (fractions; rounded to whole pixels) and says where it lies.
    pub fn fill(&mut self, picture: &Picture, region: BBox) -> Placement {
        self.fill_by(picture, region, |job| job.run())
    }

    fn fill_by(&mut self, picture: &Picture, region: BBox, run: impl FnOnce(Job<'_>)) -> Placement {
        let key = SourceKey::new(picture, region);
        // The tables cost about a hundredth of the pixels, so only the last ones are kept.
        if self.source != Some(key) {
            self.fit.lay(key, &self.input);
            self.source = Some(key);
        }
        let fit = &self.fit;
        let plane_len = self.input.width * self.input.height;
        if self.content != Some(fit.content) {
            for (plane, value) in self.data.chunks_exact_mut(plane_len).zip(border_values(&self.input)) {
                plane.fill(value);
            }
            self.content = Some(fit.content);
        }
        let color = Color::new(picture.layout().colorimetry, &self.input);
        let (first, rest) = self.data.split_at_mut(plane_len);
        let (second, third) = rest.split_at_mut(plane_len);
        let planes = match self.input.color {
            ColorOrder::Rgb => [first, second, third],
            ColorOrder::Bgr => [third, second, first],
        };
        run(Job { picture, fit, color, lanes: &mut self.lanes, planes, pitch: self.input.width });
        Placement::new(key, fit.content)
    }
}

/// Where a part of a picture lies in the tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    scale: [f32; 2],
    offset: [f32; 2],
    region: [f32; 4],
}

impl Placement {
    fn new(key: SourceKey, content: Rect) -> Self {
        let (width, height) = (key.width as f32, key.height as f32);
        let crop = key.crop;
        let (left, top) = (crop.left as f32 / width, crop.top as f32 / height);
        let (across, down) = (crop.width as f32 / width, crop.height as f32 / height);
        let scale = [across / content.width as f32, down / content.height as f32];
        Self {
            scale,
            offset: [left - content.left as f32 * scale[0], top - content.top as f32 * scale[1]],
            region: [left, top, left + across, top + down],
        }
    }

    /// The box with these corners (left, top, right, bottom, in the tensor's pixels) in fractions of the whole picture,
    /// clipped to the region; `None` when nothing of it is left or a corner is no number.
    #[must_use]
    pub fn image_from_tensor(&self, corners: [f32; 4]) -> Option<BBox> {
        if corners.iter().any(|corner| !corner.is_finite()) {
            return None;
        }
        let axis = |i: usize| {
            let value = corners[i] * self.scale[i % 2] + self.offset[i % 2];
            value.clamp(self.region[i % 2], self.region[i % 2 + 2])
        };
        BBox::new(axis(0), axis(1), axis(2), axis(3))
    }

    /// The region, as rounded to whole pixels.
    #[must_use]
    pub fn region(&self) -> BBox {
        let [left, top, right, bottom] = self.region;
        BBox::new(left, top, right, bottom).expect("a crop has at least one pixel")
    }
}

/// A rectangle in whole pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rect {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// What the tables depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SourceKey {
    width: usize,
    height: usize,
    crop: Rect,
}

impl SourceKey {
    fn new(picture: &Picture, region: BBox) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (left, across) = span(region.left(), region.right(), width);
        let (top, down) = span(region.top(), region.bottom(), height);
        Self { width, height, crop: Rect { left, top, width: across, height: down } }
    }
}

/// First pixel and number of pixels between two fractions of `size`; at least one, inside the picture.
fn span(from: f32, to: f32, size: usize) -> (usize, usize) {
    let pixel = |fraction: f32| (fraction.clamp(0.0, 1.0) * size as f32).round() as usize;
    let first = pixel(from).min(size - 1);
    (first, pixel(to).max(first + 1) - first)
}

/// Samples along one axis of one plane: number `i` lies `weights[i]` of the way from element `first + indices[i]` to the
/// next.
#[derive(Debug, Default)]
struct Axis {
    first: usize,
    /// Elements that the samples reach, from `first`.
    reach: usize,
    indices: Vec<u32>,
    weights: Vec<f32>,
}

impl Axis {
    /// `count` samples at `position` (ascending) in a plane of `size` elements.
    fn lay(&mut self, count: usize, size: usize, position: impl Fn(usize) -> f64) {
        let at = |i| position(i).clamp(0.0, (size - 1) as f64);
        let first = at(0) as usize;
        let last = at(count - 1) as usize;
        (self.first, self.reach) = (first, (last + 2).min(size) - first);
        self.indices.clear();
        self.indices.extend((0..count).map(|i| at(i) as u32 - first as u32));
        self.weights.clear();
        self.weights.extend((0..count).map(|i| at(i).fract() as f32));
    }
}

/// Where the picture goes in the tensor and where its samples come from.
#[derive(Debug, Default)]
struct Fit {
    content: Rect,
    luma_x: Axis,
    luma_y: Axis,
    chroma_x: Axis,
    chroma_y: Axis,
}

impl Fit {
    fn lay(&mut self, SourceKey { width, height, crop }: SourceKey, input: &Input) {
        let content = content(crop, input);
        // In luma pixels, counted at their centres; the crop's own edge pixels are repeated.
        let at = |i: usize, first: usize, from: usize, to: usize| {
            let inside = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            first as f64 + inside.clamp(0.0, (from - 1) as f64)
        };
        let x = |i| at(i, crop.left, crop.width, content.width);
        let y = |i| at(i, crop.top, crop.height, content.height);
        self.content = content;
        self.luma_x.lay(content.width, width, x);
        self.luma_y.lay(content.height, height, y);
        self.chroma_x.lay(content.width, width.div_ceil(2), |i| x(i) / 2.0);
        self.chroma_y.lay(content.height, height.div_ceil(2), |i| (y(i) - 0.5) / 2.0);
    }
}

fn content(crop: Rect, input: &Input) -> Rect {
    if input.letterbox == Letterbox::Stretch {
        return Rect { left: 0, top: 0, width: input.width, height: input.height };
    }
    let scale = (input.width as f64 / crop.width as f64).min(input.height as f64 / crop.height as f64);
    let width = ((crop.width as f64 * scale).round() as usize).clamp(1, input.width);
    let height = ((crop.height as f64 * scale).round() as usize).clamp(1, input.height);
    match input.letterbox {
        Letterbox::Center => Rect { left: (input.width - width) / 2, top: (input.height - height) / 2, width, height },
        Letterbox::TopLeft | Letterbox::Stretch => Rect { left: 0, top: 0, width, height },
    }
}

fn border_values(input: &Input) -> [f32; 3] {
    [0, 1, 2].map(|c| (f32::from(input.pad) * input.scale - input.mean[c]) / input.std[c])
}

#[cfg(test)]
mod tests;

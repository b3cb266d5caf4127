//! Still regions over time: what came to stand out from the place and stays.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::background::Background;
use super::eye::Mode;
use super::region::{Nature, Patch, collect};
use super::{Blemish, GrayView, Placement, Shift, Sight};
use crate::geometry::{BBox, Point};
use crate::ground::{Ground, GroundPoint};
use crate::scene::{Scene, TrackId};
use crate::time::MediaTime;

/// Mean distance of chroma from grey up to which a picture is black and white, and from which it is coloured: narrower than
/// for the camera's own eye, because a grey road without vehicles has next to no colour and a model that is not at hand forgets.
const CHROMA: [f32; 2] = [0.25, 0.5];

/// A region has at least so many pixels of the view.
const LEAST_PIXELS: usize = 5;

/// At most so many regions are followed.
const MOST: usize = 16;

/// A region that is larger than this share of the picture is another scene, not a thing; so is a change of so much of it.
const ANOTHER_SCENE: f64 = 0.25;

/// A region's box that agrees less than this with what it was has changed; its time begins anew.
const SETTLED: f32 = 0.5;

/// Time constant with which a region's nature is believed, in seconds.
const BELIEVE_S: f32 = 5.0;

/// While the light is unsettled, what is new and stays this long is the place.
const PLACE_UNSETTLED: Duration = Duration::from_secs(3);
/// What is no thing is the place after this long …
const PLACE: Duration = Duration::from_secs(10 * 60);
/// … and what is one after this.
const PLACE_THING: Duration = Duration::from_secs(2 * 3600);

/// Nothing seen for longer than this, and the place is learnt anew.
const FORGET: Duration = Duration::from_secs(10 * 60);

/// A region where a track ended no longer ago than this, as large as it (IoU), is what was tracked.
const GONE_FOR: Duration = Duration::from_secs(15);
const WAS_TRACKED: f32 = 0.3;

/// By which share of its size an object's box is widened.
const WIDENED: f32 = 0.1;

/// Number of a still region; never repeats within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StillId(pub u64);

/// Something that stands out from the place and holds still.
#[derive(Debug, Clone, PartialEq)]
pub struct Still {
    /// Unique within the camera's session.
    pub id: StillId,
    /// Where it is.
    pub bbox: BBox,
    /// What it is.
    pub nature: Nature,
    /// Since when it has been there as it is.
    pub since: MediaTime,
    /// An object was tracked there and lost: it is that object.
    pub was_tracked: bool,
    /// Mean difference from the place, in steps of luma.
    pub contrast: f32,
    /// Where it stands on the ground; calibrated cameras only.
    pub ground: Option<GroundPoint>,
    /// How wide it is across the view, in metres; calibrated cameras only.
    pub width_m: Option<f64>,
}

impl Still {
    /// Finds where it stands; `shift` is by how much the picture is off.
    pub(crate) fn stand_on(&mut self, ground: &Ground, shift: Shift) {
        let bbox = shift.back_box(self.bbox);
        let corner = |x| ground.at(Point::new(x, bbox.bottom()));
        self.ground = ground.at(bbox.bottom_center());
        let width_m = corner(bbox.left()).zip(corner(bbox.right())).map(|(left, right)| left.distance_m(right));
        self.width_m = width_m;
    }

    /// The larger of its width and height, as a share of the picture's width.
    #[must_use]
    pub fn size(&self, aspect: f32) -> f64 {
        f64::from(self.bbox.width().max(self.bbox.height() / aspect))
    }
}

#[derive(Debug)]
struct Region {
    id: StillId,
    /// Of its pixels in [`Model::of_region`].
    label: u8,
    patch: Patch,
    /// How many pixels it has.
    pixels: usize,
    /// The box against which it is judged whether it changed, and since when it is that.
    settled: [usize; 4],
    since: MediaTime,
    /// How surely something was added (1) or removed (-1), and that it is a thing at all (1).
    added: f32,
    thing: f32,
    was_tracked: bool,
    /// Whether it is in the view at hand.
    is_there: bool,
}

impl Region {
    fn follow(&mut self, patch: Patch, pixels: usize, now: MediaTime, share: f32) {
        self.pixels = pixels + if self.is_there { self.pixels } else { 0 };
        if self.is_there {
            // It fell apart: its parts are one thing.
            let (a, b) = (self.patch.edges, patch.edges);
            self.patch.edges = [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
        } else {
            self.patch = patch;
            let (added, thing) = signs(patch.nature);
            self.added += (added - self.added) * share;
            self.thing += (thing - self.thing) * share;
        }
        self.is_there = true;
        if overlap(self.settled, self.patch.edges) < SETTLED {
            (self.settled, self.since) = (self.patch.edges, now);
        }
    }

    fn nature(&self) -> Nature {
        match (self.thing >= 0.5, self.added) {
            (false, _) => Nature::Light,
            (true, added) if added >= 0.5 => Nature::Added,
            (true, added) if added <= -0.5 => Nature::Removed,
            (true, _) => Nature::Unclear,
        }
    }

    fn becomes_place_after(&self) -> Duration {
        if self.nature() == Nature::Added { PLACE_THING } else { PLACE }
    }
}

fn signs(nature: Nature) -> (f32, f32) {
    match nature {
        Nature::Added => (1.0, 1.0),
        Nature::Removed => (-1.0, 1.0),
        Nature::Unclear => (0.0, 1.0),
        Nature::Light => (0.0, 0.0),
    }
}

/// Intersection over union of boxes of pixels.
fn overlap(a: [usize; 4], b: [usize; 4]) -> f32 {
    let area =
        |[left, top, right, bottom]: [usize; 4]| (right.saturating_sub(left) * bottom.saturating_sub(top)) as f32;
    let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    both / (area(a) + area(b) - both).max(1.0)
}

/// The still regions of one mode.
#[derive(Debug)]
struct Model {
    background: Background,
    regions: Vec<Region>,
    /// Of each pixel, the label of its region; 0: none.
    of_region: Vec<u8>,
    labels: Vec<u8>,
    taken: Vec<bool>,
    members: Vec<u32>,
    stack: Vec<u32>,
}

impl Model {
    fn new(width: usize, height: usize) -> Self {
        let pixels = width * height;
        Self {
            background: Background::new(width, height),
            regions: Vec::with_capacity(MOST),
            of_region: vec![0; pixels],
            labels: vec![0; pixels],
            taken: vec![false; pixels],
            members: Vec::with_capacity(pixels),
            stack: Vec::with_capacity(pixels),
        }
    }

    /// Takes one view. New regions are numbered from `next`.
    fn take(&mut self, view: &GrayView<'_>, now: MediaTime, covered: &[bool], next: &mut u64) {
        let passed = self.background.last().map_or(Duration::ZERO, |last| now.since(last));
        self.background.take(view, now, covered, &self.of_region);
        self.settle_in(now);
        self.labels.fill(0);
        self.taken.fill(false);
        self.regions.iter_mut().for_each(|region| region.is_there = false);
        let share = 1.0 - (-passed.as_secs_f32() / BELIEVE_S).exp();
        let pixels = self.labels.len();
        for first in 0..pixels {
            if !self.background.is_still(first) || self.taken[first] {
                continue;
            }
            collect(&self.background, first, &mut self.taken, &mut self.members, &mut self.stack);
            if self.members.len() as f64 > ANOTHER_SCENE * pixels as f64 {
                self.give_in(now);
                return;
            }
            if self.members.len() < LEAST_PIXELS {
                continue;
            }
            let patch = Patch::of(&self.background, &self.members, now);
            let Some(label) = self.region_of(patch, (now, share), next) else { continue };
            self.members.iter().for_each(|index| self.labels[*index as usize] = label);
        }
        self.regions.retain(|region| region.is_there);
        std::mem::swap(&mut self.of_region, &mut self.labels);
    }

    /// The label of the region that the members at hand belong to, known or new; `None` when there are too many.
    fn region_of(&mut self, patch: Patch, (now, share): (MediaTime, f32), next: &mut u64) -> Option<u8> {
        let mut votes = [0_usize; MOST + 1];
        self.members.iter().for_each(|index| votes[usize::from(self.of_region[*index as usize])] += 1);
        let pixels = self.members.len();
        // When several became one it is the oldest of them.
        let is_known = |region: &&mut Region| 2 * votes[usize::from(region.label)] >= region.pixels.min(pixels);
        if let Some(region) = self.regions.iter_mut().filter(is_known).min_by_key(|region| region.id) {
            region.follow(patch, pixels, now, share);
            return Some(region.label);
        }
        let free = (1..=MOST as u8).find(|label| self.regions.iter().all(|region| region.label != *label));
        let Some(label) = free else {
            // That many things do not come at once.
            self.background.unsettle(now);
            return None;
        };
        let ((added, thing), id) = (signs(patch.nature), StillId(*next));
        *next += 1;
        let (settled, since) = (patch.edges, patch.since);
        let region =
            Region { id, label, patch, pixels, settled, since, added, thing, was_tracked: false, is_there: true };
        self.regions.push(region);
        Some(label)
    }

    /// What has been there for so long that it is the place.
    fn settle_in(&mut self, now: MediaTime) {
        let is_unsettled = self.background.is_unsettled(now);
        let (regions, of_region) = (&self.regions, &self.of_region);
        self.background.absorb(|index, cell| {
            let region = regions.iter().find(|region| region.label == of_region[index] && of_region[index] > 0);
            let is_new = region.is_none_or(|region| now.since(region.since) < PLACE_UNSETTLED * 3);
            let after = match region {
                _ if is_unsettled && is_new => PLACE_UNSETTLED,
                Some(region) => region.becomes_place_after(),
                None => PLACE,
            };
            now.since(cell.since) >= after
        });
    }

    /// It is another scene: all of it is the place.
    fn give_in(&mut self, now: MediaTime) {
        self.background.unsettle(now);
        self.background.absorb(|_, _| true);
        self.regions.clear();
        self.of_region.fill(0);
    }
}

/// Follows what holds still before one camera.
#[derive(Debug, Default)]
pub struct Stillness {
    mode: Mode,
    /// By mode.
    models: [Option<Model>; 2],
    placement: Placement,
    covered: Vec<bool>,
    /// Where tracks were last, and those that ended.
    tracks: BTreeMap<TrackId, BBox>,
    gone: VecDeque<(MediaTime, BBox)>,
    next: u64,
    stills: Vec<Still>,
}

impl Stillness {
    /// Takes one scene, and its view where there is one; what holds still by now, where it is in the picture.
    pub fn observe(&mut self, scene: &Scene, view: Option<&GrayView<'_>>) -> &[Still] {
        self.follow(scene);
        self.follow_camera(scene.camera.placement);
        if let Some(view) = view.filter(|_| shows_the_place(scene)) {
            self.take(scene, view);
        }
        &self.stills
    }

    fn follow(&mut self, scene: &Scene) {
        let now = scene.stamp.pts;
        for track in scene.seen() {
            self.tracks.insert(track.id, track.bbox);
        }
        for id in &scene.ended {
            self.gone.extend(self.tracks.remove(id).map(|bbox| (now, bbox)));
        }
        while self.gone.front().is_some_and(|(at, _)| now.since(*at) > GONE_FOR) {
            self.gone.pop_front();
        }
    }

    /// Where the camera looks elsewhere, another place is learnt.
    fn follow_camera(&mut self, placement: Placement) {
        let is_elsewhere = |placement| matches!(placement, Placement::Shifted(_) | Placement::Lost);
        if placement != Placement::Unsure {
            if is_elsewhere(placement) != is_elsewhere(self.placement) {
                self.models = [None, None];
                self.stills.clear();
            }
            self.placement = placement;
        }
    }

    fn take(&mut self, scene: &Scene, view: &GrayView<'_>) {
        let now = scene.stamp.pts;
        let size = (view.width, view.height);
        self.mode = self.mode.next(view.chroma, CHROMA);
        cover(&mut self.covered, size, scene);
        let slot = &mut self.models[self.mode as usize];
        let is_old = |model: &Model| {
            model.background.size() != size || model.background.last().is_some_and(|last| now.since(last) > FORGET)
        };
        if slot.as_ref().is_none_or(is_old) {
            *slot = Some(Model::new(size.0, size.1));
        }
        let Some(model) = slot else { return };
        model.take(view, now, &self.covered, &mut self.next);
        self.stills.clear();
        for region in &mut model.regions {
            let Some(bbox) = fractions(region.patch.edges, size) else { continue };
            region.was_tracked |= self.gone.iter().any(|(_, gone)| gone.iou(bbox) >= WAS_TRACKED);
            self.stills.push(Still {
                id: region.id,
                bbox,
                nature: region.nature(),
                since: region.since,
                was_tracked: region.was_tracked,
                contrast: region.patch.contrast,
                ground: None,
                width_m: None,
            });
        }
        self.stills.sort_unstable_by_key(|still| still.id);
    }
}

/// Nothing is before the lens, it looks where it did, and the picture is a new one.
fn shows_the_place(scene: &Scene) -> bool {
    let is_placed = !matches!(scene.camera.placement, Placement::Unsure | Placement::Lost);
    let is_clear = |sight: Sight| {
        let blemish = sight.blemish().filter(|blemish| *blemish != Blemish::Moved);
        blemish.is_none() && sight.same_for.is_zero()
    };
    is_placed && scene.camera.sight.is_none_or(is_clear)
}

/// Marks the pixels where objects are, seen or known to stand.
fn cover(covered: &mut Vec<bool>, (width, height): (usize, usize), scene: &Scene) {
    covered.clear();
    covered.resize(width * height, false);
    let boxes = scene.tracks.iter().map(|track| track.bbox).chain(scene.parked.iter().map(|thing| thing.bbox));
    for bbox in boxes {
        let (wider, higher) = (bbox.width() * WIDENED, bbox.height() * WIDENED);
        let pixel = |share: f32, count: usize| (share.clamp(0.0, 1.0) * count as f32) as usize;
        let (left, right) = (pixel(bbox.left() - wider, width), pixel(bbox.right() + wider, width));
        let (top, bottom) = (pixel(bbox.top() - higher, height), pixel(bbox.bottom() + higher, height));
        for y in top..(bottom + 1).min(height) {
            covered[y * width + left.min(width - 1)..(y * width + right + 1).min((y + 1) * width)].fill(true);
        }
    }
}

fn fractions([left, top, right, bottom]: [usize; 4], (width, height): (usize, usize)) -> Option<BBox> {
    let (width, height) = (width as f32, height as f32);
    BBox::new(left as f32 / width, top as f32 / height, right as f32 / width, bottom as f32 / height)
}

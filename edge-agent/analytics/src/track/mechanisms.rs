//! Which parts of the tracker are at work: all, except where one is measured by what is missing without it.

/// Switches for measurement, `docs/tracking.md`; not a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mechanisms {
    /// Sure detections continue a track by distance where they do not overlap it.
    pub reach: bool,
    /// Detections beside surer ones of the same object start no track.
    pub nested: bool,
    /// Boxes of hidden objects move a track less.
    pub hidden: bool,
    /// Merged boxes are split.
    pub merged: bool,
    /// Persons of impossible height who never moved are doubted.
    pub heights: bool,
    /// What drives away is expected to seem slower and smaller, as the learned ground has it.
    pub perspective: bool,
    /// Unsure persons who never moved are doubted where others were before.
    pub haunts: bool,
    /// Tracks start sooner at learned entries.
    pub entries: bool,
    /// Two-wheelers that are ridden start a track sooner.
    pub ridden: bool,
    /// Two-wheelers of which the model is unsure start a track once they were seen for long enough.
    pub accrued: bool,
    /// What stands is expected where it stands.
    pub rest: bool,
    /// Tracks end sooner at the picture's edge and at learned exits.
    pub exits: bool,
}

impl Mechanisms {
    /// The tracker as it is used.
    pub const ALL: Self = Self {
        reach: true,
        nested: true,
        hidden: true,
        merged: true,
        heights: true,
        perspective: true,
        haunts: true,
        entries: true,
        ridden: true,
        accrued: true,
        rest: true,
        exits: true,
    };
    /// Two stages of association by overlap, and a Kalman filter: ByteTrack.
    pub const NONE: Self = Self {
        reach: false,
        nested: false,
        hidden: false,
        merged: false,
        heights: false,
        perspective: false,
        haunts: false,
        entries: false,
        ridden: false,
        accrued: false,
        rest: false,
        exits: false,
    };
}

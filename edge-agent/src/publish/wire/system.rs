//! The box's own events.

use analytics::CameraId;
use analytics::incident::Withheld;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LadderData, LocalText, Sequence, Severity, Stamped, System, UtcMillis, Word, new_id};
use crate::publish::Topics;

/// What happened to the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemKind {
    /// The outbox was full: the named events will never come.
    OutboxOverflow,
    /// The outbox could not be read and was set aside: its unsent events are lost to the centre.
    OutboxSetAside,
    /// An unsent event was damaged on the disk: it will never come.
    EventDamaged,
    /// A camera found more than it may open incidents for, and no further event says how many were withheld.
    IncidentsWithheld,
    /// The box is overloaded or hot and does less than asked.
    BoxDegraded,
    /// It does all that is asked again.
    BoxRecovered,
    /// A camera's stream crashed the program again and again: it is not connected to for a while.
    CameraParked,
}

impl SystemKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::OutboxOverflow,
        Self::OutboxSetAside,
        Self::EventDamaged,
        Self::IncidentsWithheld,
        Self::BoxDegraded,
        Self::BoxRecovered,
        Self::CameraParked,
    ];

    /// The CloudEvents type.
    #[must_use]
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::OutboxOverflow => "vn.ngatu.system.outbox_overflow.v1",
            Self::OutboxSetAside => "vn.ngatu.system.outbox_set_aside.v1",
            Self::EventDamaged => "vn.ngatu.system.event_damaged.v1",
            Self::IncidentsWithheld => "vn.ngatu.system.incidents_withheld.v1",
            Self::BoxDegraded => "vn.ngatu.system.box_degraded.v1",
            Self::BoxRecovered => "vn.ngatu.system.box_recovered.v1",
            Self::CameraParked => "vn.ngatu.system.camera_parked.v1",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::OutboxOverflow | Self::OutboxSetAside | Self::EventDamaged | Self::CameraParked => Severity::High,
            Self::IncidentsWithheld | Self::BoxDegraded => Severity::Warning,
            Self::BoxRecovered => Severity::Info,
        }
    }

    const fn message(self) -> LocalText {
        let (vi, en) = match self {
            Self::OutboxOverflow => {
                ("Hàng đợi gửi đã đầy: một số sự kiện bị mất", "The outbox was full: events were lost")
            }
            Self::OutboxSetAside => (
                "Hàng đợi gửi bị hỏng và đã được thay mới: sự kiện chưa gửi có thể bị mất",
                "The outbox was damaged and replaced: unsent events may be lost",
            ),
            Self::EventDamaged => (
                "Một sự kiện chưa gửi bị hỏng trên ổ đĩa: sự kiện đó không gửi được nữa",
                "An unsent event was damaged on the disk: it will not come",
            ),
            Self::IncidentsWithheld => {
                ("Quá nhiều sự việc cùng lúc: một số không được báo", "Too much at once: some incidents were withheld")
            }
            Self::BoxDegraded => (
                "Hộp quá tải hoặc quá nóng: phải giảm bớt phân tích",
                "The box is overloaded or hot: it analyses less than asked",
            ),
            Self::BoxRecovered => ("Hộp đã phân tích đầy đủ trở lại", "The box analyses all that is asked again"),
            Self::CameraParked => (
                "Luồng hình của một camera nhiều lần làm sập chương trình: tạm ngừng kết nối camera này",
                "A camera's stream crashed the program again and again: it is not connected to for now",
            ),
        };
        LocalText { vi: Word::Borrowed(vi), en: Word::Borrowed(en) }
    }
}

/// Events that will never come, by their sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// How many.
    pub count: u64,
    /// Which: first and last of each unbroken run, ascending.
    pub ranges: Vec<[Sequence; 2]>,
}

/// Incidents of one rule that were withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithheldData {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// The rule's name in the site file.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub rule: String,
    /// How many.
    pub count: u32,
}

/// A camera that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkedData {
    /// The camera.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,40}$"))]
    pub camera: String,
    /// Until when, if the box's clock is right.
    pub until: UtcMillis,
}

/// The data of a system event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemData {
    /// How urgent.
    pub severity: Severity,
    /// What happened, in the operator's words.
    pub message: LocalText,
    /// Overflow, event damaged: the events that will never come; otherwise null.
    pub lost: Option<Lost>,
    /// Set aside: name of the damaged file, which is kept; otherwise null.
    pub file: Option<String>,
    /// Incidents withheld: whose and how many; otherwise null.
    pub withheld: Option<WithheldData>,
    /// Box degraded or recovered: what is given up; otherwise absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<LadderData>,
    /// Camera parked: which and until when; otherwise absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<ParkedData>,
    /// Whose sequence numbers these are.
    pub outbox_id: Uuid,
    /// Committed before the connection that carries it.
    pub replayed: bool,
}

impl Stamped for SystemData {
    fn set_outbox_id(&mut self, outbox_id: Uuid) {
        self.outbox_id = outbox_id;
    }
}

/// The draft of a system event of the box `subject`.
#[must_use]
pub fn system(kind: SystemKind, source: &str, subject: &str, time: UtcMillis) -> System {
    System {
        specversion: "1.0".into(),
        id: new_id(),
        source: source.to_owned(),
        r#type: kind.event_type().into(),
        subject: subject.to_owned(),
        time,
        recordedtime: time,
        datacontenttype: "application/json".into(),
        dataschema: "urn:ngatu:schema:system:1".into(),
        sequence: Sequence::default(),
        data: SystemData {
            severity: kind.severity(),
            message: kind.message(),
            lost: None,
            file: None,
            withheld: None,
            ladder: None,
            parked: None,
            outbox_id: Uuid::nil(),
            replayed: false,
        },
    }
}

/// The draft of the announcement of incidents that a storm withheld.
#[must_use]
pub fn withheld(topics: &Topics, withheld: &Withheld) -> System {
    let Withheld { id, stamp, rule, count } = withheld;
    let (kind, time) = (SystemKind::IncidentsWithheld, UtcMillis::from(stamp.captured_at));
    let mut event = System { id: *id, ..system(kind, &topics.source(), topics.box_id().as_str(), time) };
    let (camera, rule) = (stamp.camera.to_string(), rule.id.to_string());
    event.data.withheld = Some(WithheldData { camera, rule, count: *count });
    event
}

/// The draft of the announcement of a camera that is left alone.
#[must_use]
pub fn parked(topics: &Topics, camera: &CameraId, until: UtcMillis, now: UtcMillis) -> System {
    let mut event = system(SystemKind::CameraParked, &topics.source(), topics.box_id().as_str(), now);
    event.data.parked = Some(ParkedData { camera: camera.to_string(), until });
    event
}

//! The words an operator reads, in both languages, in one table: for the watcher's lines and for the status page.

mod camera;
pub(crate) mod command;
pub(crate) mod measure;
pub(crate) mod page;
pub(crate) mod state;

use std::fmt::Write as _;

use analytics::{Class, Direction, Kind, Severity, Text};

use crate::publish::wire::{self, Incident, LocalText, Measures, Phase};

/// A language of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Lang {
    /// Vietnamese.
    #[default]
    Vi,
    /// English.
    En,
}

impl Lang {
    /// The text in this language.
    pub(crate) const fn of(self, text: Text) -> &'static str {
        match self {
            Self::Vi => text.vi,
            Self::En => text.en,
        }
    }

    /// The text in this language.
    pub(crate) fn of_local(self, text: &LocalText) -> &str {
        match self {
            Self::Vi => &text.vi,
            Self::En => &text.en,
        }
    }

    /// A number as it is written here: a decimal comma in Vietnamese.
    pub(crate) fn number(self, value: f64) -> String {
        let text = format!("{}", (value * 10.0).round() / 10.0);
        match self {
            Self::Vi => text.replace('.', ","),
            Self::En => text,
        }
    }
}

/// In both languages at once.
pub(crate) fn both(words: impl Fn(Lang) -> String) -> LocalText {
    LocalText { vi: words(Lang::Vi).into(), en: words(Lang::En).into() }
}

const fn text(vi: &'static str, en: &'static str) -> Text {
    Text { vi, en }
}

pub(crate) const LATE: Text = text("gửi muộn", "late");
pub(crate) const ZONE: Text = text("vùng", "zone");
pub(crate) const LINE: Text = text("vạch", "line");
pub(crate) const LOST: Text = text("số sự kiện bị mất", "events lost");
pub(crate) const SUBSCRIBED: Text = text("đã kết nối với máy chủ tin nhắn", "connected to the broker");
pub(crate) const DISCONNECTED: Text = text("mất kết nối với máy chủ tin nhắn", "no connection to the broker");
pub(crate) const MALFORMED: Text = text("tin nhắn sai định dạng", "malformed message");
pub(crate) const UNKNOWN_TIME: Text = text("giờ chưa đồng bộ", "clock not set");
pub(crate) const PICTURE: Text = text("ảnh sự việc", "picture of an incident");
pub(crate) const PICTURE_READY: Text = text("đã có ảnh", "picture ready");
pub(crate) const PICTURE_FAILED: Text = text("không có ảnh", "no picture");
pub(crate) const CLIP_READY: Text = text("đã có đoạn video", "clip ready");
pub(crate) const CLIP_FAILED: Text = text("không có đoạn video", "no clip");
pub(crate) const SAVED: Text = text("đã lưu", "saved");
pub(crate) const NOT_SAVED: Text = text("không lưu được", "not saved");
const LIMIT: Text = text("ngưỡng", "limit");

pub(crate) const fn phase(phase: Phase) -> Text {
    match phase {
        Phase::New => text("mới", "new"),
        Phase::Update => text("cập nhật", "update"),
        Phase::End => text("kết thúc", "ended"),
    }
}

pub(crate) fn severity(severity: wire::Severity) -> Text {
    Severity::from(severity).text()
}

/// `None` for a word of a later version.
pub(crate) fn direction(word: &str) -> Option<Text> {
    [
        (Direction::LeftToRight, text("từ trái sang phải", "left to right")),
        (Direction::RightToLeft, text("từ phải sang trái", "right to left")),
    ]
    .into_iter()
    .find_map(|(direction, text)| (direction.label() == word).then_some(text))
}

/// `None` for a word of a later version.
pub(crate) fn class(word: &str) -> Option<Text> {
    Some(match Class::from_label(word)? {
        Class::Person => text("người", "person"),
        Class::Bicycle => text("xe đạp", "bicycle"),
        Class::Car => text("ô tô con", "car"),
        Class::Motorcycle => text("xe máy", "motorcycle"),
        Class::Bus => text("xe buýt/xe khách", "bus"),
        Class::Truck => text("xe tải", "truck"),
    })
}

/// The camera and the zone or line.
pub(crate) fn place(event: &Incident, lang: Lang) -> String {
    let data = &event.data;
    let camera = lang.of_local(&data.camera.name);
    match (&data.zone, &data.line) {
        (Some(zone), _) => format!("{camera}, {} {zone}", lang.of(ZONE)),
        (None, Some(line)) => format!("{camera}, {} {line}", lang.of(LINE)),
        (None, None) => camera.to_owned(),
    }
}

/// The classes involved, each once.
pub(crate) fn objects(event: &Incident, lang: Lang) -> String {
    let mut words: Vec<&str> = Vec::new();
    for track in &event.data.tracks {
        if let Some(word) = class(&track.class).map(|text| lang.of(text))
            && !words.contains(&word)
        {
            words.push(word);
        }
    }
    words.join(", ")
}

/// A measure in words: what comes before the number, and its unit.
struct Phrase {
    measured: &'static str,
    threshold: &'static str,
    before: Text,
    unit: Text,
    /// Shorter than the limit is what the rule looks for.
    limit_is_upper: bool,
}

const PHRASES: [Phrase; 23] = [
    Phrase {
        measured: "occupancy_percent",
        threshold: "occupancy_percent",
        before: text("mặt đường bị chiếm", "road occupied"),
        unit: text(" %", " %"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "chain_vehicles",
        threshold: "chain_vehicles",
        before: text("số xe đứng chờ", "vehicles queueing"),
        unit: text("", ""),
        limit_is_upper: false,
    },
    Phrase {
        measured: "flow_percent",
        threshold: "flow_percent",
        before: text("lưu lượng còn", "flow down to"),
        unit: text(" %", " %"),
        limit_is_upper: true,
    },
    Phrase {
        measured: "baseline_per_min",
        threshold: "baseline_per_min",
        before: text("trước đó mỗi phút", "before, a minute"),
        unit: text(" xe", " veh"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "dwell_s",
        threshold: "dwell_s",
        before: text("ở lại", "stayed"),
        unit: text(" giây", " s"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "held_s",
        threshold: "hold_s",
        before: text("kéo dài", "for"),
        unit: text(" giây", " s"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "alone_s",
        threshold: "alone_s",
        before: text("không có ai bên cạnh", "nobody near for"),
        unit: text(" giây", " s"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "size_percent",
        threshold: "size_percent",
        before: text("kích thước so với chiều rộng ảnh", "size, of the picture's width"),
        unit: text(" %", " %"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "size_m",
        threshold: "size_m",
        before: text("rộng", "width"),
        unit: text(" m", " m"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "count",
        threshold: "count",
        before: text("số đối tượng", "objects"),
        unit: text("", ""),
        limit_is_upper: false,
    },
    Phrase {
        measured: "angle_deg",
        threshold: "angle_deg",
        before: text("lệch hướng", "off the heading by"),
        unit: text("°", "°"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "distance_heights",
        threshold: "distance_heights",
        before: text("đi được", "moved"),
        unit: text(" lần chiều cao vật", " object heights"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "distance_m",
        threshold: "distance_m",
        before: text("đi được", "moved"),
        unit: text(" m", " m"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "travel_m",
        threshold: "travel_m",
        before: text("trước đó đã đi", "had moved"),
        unit: text(" m", " m"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "speed_kmh",
        threshold: "speed_kmh",
        before: text("tốc độ", "speed"),
        unit: text(" km/h", " km/h"),
        limit_is_upper: true,
    },
    Phrase {
        measured: "speed_heights_per_s",
        threshold: "speed_heights_per_s",
        before: text("tốc độ", "speed"),
        unit: text(" lần chiều cao vật/giây", " object heights/s"),
        limit_is_upper: true,
    },
    Phrase {
        measured: "travel_heights",
        threshold: "travel_heights",
        before: text("trước đó đã đi", "had moved"),
        unit: text(" lần chiều cao vật", " object heights"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "speed_error_kmh",
        threshold: "speed_error_kmh",
        before: text("sai số", "error"),
        unit: text(" km/h", " km/h"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "speed_ratio",
        threshold: "speed_ratio",
        before: text("tốc độ so với làn", "speed over the lane's"),
        unit: text(" lần", "×"),
        limit_is_upper: true,
    },
    Phrase {
        measured: "flow_vehicles",
        threshold: "flow_vehicles",
        before: text("so với số xe", "vehicles compared with"),
        unit: text("", ""),
        limit_is_upper: false,
    },
    Phrase {
        measured: "red_s",
        threshold: "red_s",
        before: text("đèn đã đỏ", "red for"),
        unit: text(" giây", " s"),
        limit_is_upper: false,
    },
    Phrase {
        measured: "turn_s",
        threshold: "turn_s",
        before: text("từ lối vào đến lối ra", "from gate to gate in"),
        unit: text(" giây", " s"),
        limit_is_upper: true,
    },
    Phrase {
        measured: "score",
        threshold: "score",
        before: text("mức nghi vấn", "score"),
        unit: text("", ""),
        limit_is_upper: false,
    },
];

/// How long, in the words of the kind.
fn before_duration(kind: &str) -> Option<Text> {
    match Kind::from_wire_label(kind)? {
        Kind::StoppedVehicle => Some(text("đứng", "stood")),
        Kind::Loitering => Some(text("ở lại", "stayed")),
        Kind::Intrusion => Some(text("ở trong vùng", "inside for")),
        Kind::PedestrianOnCarriageway => Some(text("ở dưới lòng đường", "on the road for")),
        Kind::WrongWay => Some(text("đi ngược", "against the way for")),
        Kind::IllegalParking => Some(text("đứng", "stood")),
        Kind::ForbiddenClass => Some(text("ở trong làn", "in the lane for")),
        Kind::SlowVehicle => Some(text("đi chậm", "slow for")),
        Kind::CollisionSuspected => Some(text("cùng đứng", "stood together")),
        Kind::RoadObstacle | Kind::AbandonedObject => Some(text("nằm yên", "lying for")),
        Kind::RemovedObject => Some(text("không còn ở chỗ cũ", "gone for")),
        Kind::QueueSpillback => Some(text("tràn quá vạch", "over the mark for")),
        Kind::LineCrossing
        | Kind::Crowding
        | Kind::Congestion
        | Kind::FlowDrop
        | Kind::OverSpeed
        | Kind::ForbiddenTurn
        | Kind::RedLight
        | Kind::CameraLost
        | Kind::CameraUnauthorised
        | Kind::CameraFrozen
        | Kind::CameraCovered
        | Kind::CameraDark
        | Kind::CameraGlare
        | Kind::CameraBlurred
        | Kind::CameraMoved
        | Kind::CameraLowRate
        | Kind::CameraClockDrift => None,
    }
}

/// What a rule says yes or no to, when the answer is worth a word.
fn remark(measured: &Measures) -> Option<Text> {
    if measured.find("seen_stopping") == Some(0.0) {
        return Some(text("không thấy lúc dừng", "not seen stopping"));
    }
    let owner_unseen = measured.find("owner_seen") == Some(0.0);
    owner_unseen.then_some(text("không thấy ai để lại", "nobody was seen leaving it"))
}

/// Why, in words: what was measured and the limit it passed. Measures without words here are left out.
pub(crate) fn why(kind: &str, measured: &Measures, thresholds: &Measures, lang: Lang) -> String {
    let mut words = String::new();
    for phrase in PHRASES.iter().chain(&camera::PHRASES) {
        let Some(value) = measured.find(phrase.measured) else { continue };
        let before = match phrase.measured {
            "held_s" => before_duration(kind).unwrap_or(phrase.before),
            _ => phrase.before,
        };
        let separator = if words.is_empty() { "" } else { "; " };
        let (before, unit) = (lang.of(before), lang.of(phrase.unit));
        let value = lang.number(value);
        let _ = write!(words, "{separator}{before} {value}{unit}");
        if let Some(threshold) = thresholds.find(phrase.threshold) {
            let is_upper = phrase.limit_is_upper && kind != Kind::OverSpeed.wire_label();
            let sign = if is_upper { "≤ " } else { "" };
            // The unit was said once; a symbol or abbreviation is short enough to say again.
            let unit = if unit.chars().count() <= 2 { unit } else { "" };
            let _ = write!(words, ", {} {sign}{}{unit}", lang.of(LIMIT), lang.number(threshold));
        }
    }
    if let Some(remark) = remark(measured) {
        let separator = if words.is_empty() { "" } else { "; " };
        let _ = write!(words, "{separator}{}", lang.of(remark));
    }
    if let Some(remark) = camera::remark(measured, lang) {
        let _ = write!(words, "; {remark}");
    }
    words
}

//! The kinds of incident and the words for them: one table for files, wire and both languages.
//!
//! A kind that this version cannot judge is not in the table, so it can be neither configured nor announced.

use std::fmt;

/// A text in the operator's languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Vietnamese.
    pub vi: &'static str,
    /// English.
    pub en: &'static str,
}

/// How urgent an incident is. Ordered: `Info < Warning < High < Critical`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record.
    Info,
    /// Look when there is time.
    Warning,
    /// Look now.
    High,
    /// Act now.
    Critical,
}

impl Severity {
    /// From the least to the most urgent.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::High, Self::Critical];

    /// The word in files and on the wire.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.label() == label)
    }

    /// The word an operator reads.
    #[must_use]
    pub const fn text(self) -> Text {
        match self {
            Self::Info => Text { vi: "Thông tin", en: "Info" },
            Self::Warning => Text { vi: "Cảnh báo", en: "Warning" },
            Self::High => Text { vi: "Nghiêm trọng", en: "High" },
            Self::Critical => Text { vi: "Khẩn cấp", en: "Critical" },
        }
    }
}

/// Whether incidents of a kind last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// One event.
    Pulse,
    /// `new`, any number of `update`, one `end`.
    Level,
}

struct Row {
    file: &'static str,
    wire: &'static str,
    text: Text,
    suspected: Text,
    severity: Severity,
    lasting: Lasting,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Line crossed.
    LineCrossing,
    /// Intrusion.
    Intrusion,
    /// Loitering.
    Loitering,
    /// Crowd.
    Crowding,
    /// Wrong way.
    WrongWay,
    /// Stopped vehicle.
    StoppedVehicle,
    /// Pedestrian on the carriageway.
    PedestrianOnCarriageway,
    /// Illegal stopping or parking.
    IllegalParking,
    /// Forbidden class in a lane.
    ForbiddenClass,
    /// Slow vehicle.
    SlowVehicle,
    /// Over speed, as far as a camera can tell.
    OverSpeed,
    /// Forbidden turn, U-turn or change of lanes.
    ForbiddenTurn,
    /// Red light passed.
    RedLight,
    /// Collision or accident.
    CollisionSuspected,
    /// Obstacle on the road.
    RoadObstacle,
    /// Abandoned object.
    AbandonedObject,
    /// Removed object.
    RemovedObject,
    /// Congestion.
    Congestion,
    /// Queue spill-back.
    QueueSpillback,
    /// Sudden flow drop.
    FlowDrop,
    /// Camera lost.
    CameraLost,
    /// The camera refuses the log-in.
    CameraUnauthorised,
    /// Picture frozen.
    CameraFrozen,
    /// Camera covered.
    CameraCovered,
    /// Picture dark.
    CameraDark,
    /// Glare.
    CameraGlare,
    /// Out of focus.
    CameraBlurred,
    /// Camera moved.
    CameraMoved,
    /// Low frame rate.
    CameraLowRate,
    /// The camera's clock is wrong.
    CameraClockDrift,
}

impl Kind {
    /// Every kind this version can judge.
    pub const ALL: [Self; 30] = [
        Self::LineCrossing,
        Self::Intrusion,
        Self::Loitering,
        Self::Crowding,
        Self::WrongWay,
        Self::StoppedVehicle,
        Self::PedestrianOnCarriageway,
        Self::IllegalParking,
        Self::ForbiddenClass,
        Self::SlowVehicle,
        Self::OverSpeed,
        Self::ForbiddenTurn,
        Self::RedLight,
        Self::CollisionSuspected,
        Self::RoadObstacle,
        Self::AbandonedObject,
        Self::RemovedObject,
        Self::Congestion,
        Self::QueueSpillback,
        Self::FlowDrop,
        Self::CameraLost,
        Self::CameraUnauthorised,
        Self::CameraFrozen,
        Self::CameraCovered,
        Self::CameraDark,
        Self::CameraGlare,
        Self::CameraBlurred,
        Self::CameraMoved,
        Self::CameraLowRate,
        Self::CameraClockDrift,
    ];

    const fn row(self) -> Row {
        use Lasting::{Level, Pulse};
        use Severity::{Critical, High, Info, Warning};
        match self {
            Self::LineCrossing => Row {
                file: "line-crossing",
                wire: "line_crossing",
                text: Text { vi: "Qua vạch đếm", en: "Line crossed" },
                suspected: Text { vi: "Nghi vấn qua vạch đếm", en: "Suspected line crossing" },
                severity: Info,
                lasting: Pulse,
            },
            Self::Intrusion => Row {
                file: "intrusion",
                wire: "intrusion",
                text: Text { vi: "Xâm nhập vùng cấm", en: "Intrusion" },
                suspected: Text { vi: "Nghi vấn xâm nhập vùng cấm", en: "Suspected intrusion" },
                severity: High,
                lasting: Level,
            },
            Self::Loitering => Row {
                file: "loitering",
                wire: "loitering",
                text: Text { vi: "Lảng vảng", en: "Loitering" },
                suspected: Text { vi: "Nghi vấn lảng vảng", en: "Suspected loitering" },
                severity: Warning,
                lasting: Level,
            },
            Self::Crowding => Row {
                file: "crowding",
                wire: "crowding",
                text: Text { vi: "Tụ tập đông người", en: "Crowd" },
                suspected: Text { vi: "Nghi vấn tụ tập đông người", en: "Suspected crowd" },
                severity: Warning,
                lasting: Level,
            },
            Self::WrongWay => Row {
                file: "wrong-way",
                wire: "wrong_way",
                text: Text { vi: "Đi ngược chiều", en: "Wrong way" },
                suspected: Text { vi: "Nghi vấn đi ngược chiều", en: "Suspected wrong-way driving" },
                severity: Critical,
                lasting: Level,
            },
            Self::StoppedVehicle => Row {
                file: "stopped-vehicle",
                wire: "stopped_vehicle",
                text: Text { vi: "Xe dừng bất thường", en: "Stopped vehicle" },
                suspected: Text { vi: "Nghi vấn xe dừng bất thường", en: "Suspected stopped vehicle" },
                severity: High,
                lasting: Level,
            },
            Self::PedestrianOnCarriageway => Row {
                file: "pedestrian-on-carriageway",
                wire: "pedestrian_on_carriageway",
                text: Text { vi: "Người đi bộ dưới lòng đường", en: "Pedestrian on the carriageway" },
                suspected: Text {
                    vi: "Nghi vấn người đi bộ dưới lòng đường",
                    en: "Suspected pedestrian on the carriageway",
                },
                severity: High,
                lasting: Level,
            },
            Self::IllegalParking => Row {
                file: "illegal-parking",
                wire: "illegal_parking",
                text: Text { vi: "Dừng đỗ trái phép", en: "Illegal stopping or parking" },
                suspected: Text {
                    vi: "Nghi vấn dừng đỗ trái phép", en: "Suspected illegal stopping or parking"
                },
                severity: Warning,
                lasting: Level,
            },
            Self::ForbiddenClass => Row {
                file: "forbidden-class",
                wire: "forbidden_class",
                text: Text { vi: "Đi vào làn, đường cấm", en: "Forbidden class in a lane" },
                suspected: Text {
                    vi: "Nghi vấn đi vào làn, đường cấm", en: "Suspected forbidden class in a lane"
                },
                severity: Warning,
                lasting: Level,
            },
            Self::SlowVehicle => Row {
                file: "slow-vehicle",
                wire: "slow_vehicle",
                text: Text { vi: "Xe đi chậm bất thường", en: "Slow vehicle" },
                suspected: Text { vi: "Nghi vấn xe đi chậm bất thường", en: "Suspected slow vehicle" },
                severity: Warning,
                lasting: Level,
            },
            Self::OverSpeed => Row {
                file: "over-speed",
                wire: "over_speed",
                text: Text { vi: "Chạy quá tốc độ (tham khảo)", en: "Over speed (advisory)" },
                suspected: Text {
                    vi: "Nghi vấn chạy quá tốc độ (tham khảo)", en: "Suspected over speed (advisory)"
                },
                severity: Info,
                lasting: Pulse,
            },
            Self::ForbiddenTurn => Row {
                file: "forbidden-turn",
                wire: "forbidden_turn",
                text: Text { vi: "Rẽ, quay đầu sai quy định", en: "Forbidden turn" },
                suspected: Text { vi: "Nghi vấn rẽ, quay đầu sai quy định", en: "Suspected forbidden turn" },
                severity: Warning,
                lasting: Pulse,
            },
            Self::RedLight => Row {
                file: "red-light",
                wire: "red_light",
                text: Text { vi: "Vượt đèn đỏ", en: "Red light" },
                suspected: Text { vi: "Nghi vấn vượt đèn đỏ", en: "Suspected red-light running" },
                severity: High,
                lasting: Pulse,
            },
            Self::CollisionSuspected => Row {
                file: "collision-suspected",
                wire: "collision_suspected",
                text: Text { vi: "Nghi va chạm, tai nạn", en: "Suspected collision" },
                suspected: Text { vi: "Nghi vấn va chạm, tai nạn", en: "Suspected collision" },
                severity: Critical,
                lasting: Level,
            },
            Self::RoadObstacle => Row {
                file: "road-obstacle",
                wire: "road_obstacle",
                text: Text { vi: "Vật cản trên mặt đường", en: "Obstacle on the road" },
                suspected: Text {
                    vi: "Nghi vấn vật cản trên mặt đường", en: "Suspected obstacle on the road"
                },
                severity: High,
                lasting: Level,
            },
            Self::AbandonedObject => Row {
                file: "abandoned-object",
                wire: "abandoned_object",
                text: Text { vi: "Vật thể bỏ quên", en: "Abandoned object" },
                suspected: Text { vi: "Nghi vấn vật thể bỏ quên", en: "Suspected abandoned object" },
                severity: Warning,
                lasting: Level,
            },
            Self::RemovedObject => Row {
                file: "removed-object",
                wire: "removed_object",
                text: Text { vi: "Vật thể bị lấy đi", en: "Removed object" },
                suspected: Text { vi: "Nghi vấn vật thể bị lấy đi", en: "Suspected removal of an object" },
                severity: Warning,
                lasting: Pulse,
            },
            Self::Congestion => Row {
                file: "congestion",
                wire: "congestion",
                text: Text { vi: "Ùn tắc giao thông", en: "Congestion" },
                suspected: Text { vi: "Nghi vấn ùn tắc giao thông", en: "Suspected congestion" },
                severity: Warning,
                lasting: Level,
            },
            Self::QueueSpillback => Row {
                file: "queue-spillback",
                wire: "queue_spillback",
                text: Text { vi: "Dòng chờ tràn quá vạch", en: "Queue spill-back" },
                suspected: Text { vi: "Nghi vấn dòng chờ tràn quá vạch", en: "Suspected queue spill-back" },
                severity: High,
                lasting: Level,
            },
            Self::FlowDrop => Row {
                file: "flow-drop",
                wire: "flow_drop",
                text: Text { vi: "Lưu lượng giảm đột ngột", en: "Sudden flow drop" },
                suspected: Text {
                    vi: "Nghi vấn lưu lượng giảm đột ngột", en: "Suspected sudden flow drop"
                },
                severity: Info,
                lasting: Level,
            },
            Self::CameraLost => Row {
                file: "camera-lost",
                wire: "camera_lost",
                text: Text { vi: "Mất tín hiệu camera", en: "Camera lost" },
                suspected: Text { vi: "Nghi vấn mất tín hiệu camera", en: "Suspected loss of a camera" },
                severity: High,
                lasting: Level,
            },
            Self::CameraUnauthorised => Row {
                file: "camera-unauthorised",
                wire: "camera_unauthorised",
                text: Text { vi: "Sai tài khoản camera", en: "Camera refuses the log-in" },
                suspected: Text { vi: "Nghi vấn sai tài khoản camera", en: "Suspected wrong camera log-in" },
                severity: High,
                lasting: Level,
            },
            Self::CameraFrozen => Row {
                file: "camera-frozen",
                wire: "camera_frozen",
                text: Text { vi: "Camera đứng hình", en: "Picture frozen" },
                suspected: Text { vi: "Nghi vấn camera đứng hình", en: "Suspected frozen picture" },
                severity: Warning,
                lasting: Level,
            },
            Self::CameraCovered => Row {
                file: "camera-covered",
                wire: "camera_covered",
                text: Text { vi: "Camera bị che khuất", en: "Camera covered" },
                suspected: Text { vi: "Nghi vấn camera bị che khuất", en: "Suspected covered camera" },
                severity: High,
                lasting: Level,
            },
            Self::CameraDark => Row {
                file: "camera-dark",
                wire: "camera_dark",
                text: Text { vi: "Hình tối đen", en: "Picture dark" },
                suspected: Text { vi: "Nghi vấn hình tối đen", en: "Suspected dark picture" },
                severity: Warning,
                lasting: Level,
            },
            Self::CameraGlare => Row {
                file: "camera-glare",
                wire: "camera_glare",
                text: Text { vi: "Hình bị lóa sáng", en: "Glare" },
                suspected: Text { vi: "Nghi vấn hình bị lóa sáng", en: "Suspected glare" },
                severity: Info,
                lasting: Level,
            },
            Self::CameraBlurred => Row {
                file: "camera-blurred",
                wire: "camera_blurred",
                text: Text { vi: "Camera mất nét", en: "Out of focus" },
                suspected: Text { vi: "Nghi vấn camera mất nét", en: "Suspected loss of focus" },
                severity: Warning,
                lasting: Level,
            },
            Self::CameraMoved => Row {
                file: "camera-moved",
                wire: "camera_moved",
                text: Text { vi: "Camera bị xoay lệch hướng", en: "Camera moved" },
                suspected: Text { vi: "Nghi vấn camera bị xoay lệch hướng", en: "Suspected moved camera" },
                severity: High,
                lasting: Level,
            },
            Self::CameraLowRate => Row {
                file: "camera-low-rate",
                wire: "camera_low_rate",
                text: Text { vi: "Luồng hình không ổn định", en: "Low frame rate" },
                suspected: Text { vi: "Nghi vấn luồng hình không ổn định", en: "Suspected low frame rate" },
                severity: Info,
                lasting: Level,
            },
            Self::CameraClockDrift => Row {
                file: "camera-clock-drift",
                wire: "camera_clock_drift",
                text: Text { vi: "Đồng hồ camera lệch giờ", en: "Camera clock wrong" },
                suspected: Text {
                    vi: "Nghi vấn đồng hồ camera lệch giờ", en: "Suspected wrong camera clock"
                },
                severity: Info,
                lasting: Level,
            },
        }
    }

    /// The word in files: kebab-case.
    #[must_use]
    pub const fn file_label(self) -> &'static str {
        self.row().file
    }

    /// The word on the wire: snake_case.
    #[must_use]
    pub const fn wire_label(self) -> &'static str {
        self.row().wire
    }

    /// The kind with this word in files.
    #[must_use]
    pub fn from_file_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file_label() == label)
    }

    /// The kind with this word on the wire.
    #[must_use]
    pub fn from_wire_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.wire_label() == label)
    }

    /// Its plain name.
    #[must_use]
    pub const fn text(self) -> Text {
        self.row().text
    }

    /// Its name until a person has confirmed it ("nghi vấn …").
    #[must_use]
    pub const fn suspected_text(self) -> Text {
        self.row().suspected
    }

    /// Severity unless the site says otherwise.
    #[must_use]
    pub const fn default_severity(self) -> Severity {
        self.row().severity
    }

    /// Whether its incidents last.
    #[must_use]
    pub const fn lasting(self) -> Lasting {
        self.row().lasting
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_word_in_files_and_one_on_the_wire() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_file_label(kind.file_label()), Some(kind));
            assert_eq!(Kind::from_wire_label(kind.wire_label()), Some(kind));
            assert_eq!(kind.file_label().replace('-', "_"), kind.wire_label());
        }
    }

    #[test]
    fn severities_rise() {
        assert!(Severity::ALL.is_sorted());
        for severity in Severity::ALL {
            assert_eq!(Severity::from_label(severity.label()), Some(severity));
        }
    }
}

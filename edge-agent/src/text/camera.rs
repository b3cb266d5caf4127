//! What is measured of a camera itself, in words.

use super::{Lang, Phrase, text};
use crate::publish::wire::Measures;

const fn percent(name: &'static str, vi: &'static str, en: &'static str, limit_is_upper: bool) -> Phrase {
    Phrase { measured: name, threshold: name, before: text(vi, en), unit: text("%", "%"), limit_is_upper }
}

pub(super) const PHRASES: [Phrase; 7] = [
    percent("lost_percent", "phần cảnh quen thuộc không còn thấy", "of the known view gone", false),
    percent("texture_percent", "độ chi tiết còn lại", "structure left", true),
    percent("dark_percent", "phần hình tối đen", "of the picture black", false),
    percent("glare_percent", "phần hình mới bị lóa", "of the picture newly saturated", false),
    percent("blurred_percent", "phần hình mất nét", "of the picture out of focus", false),
    percent("shift_percent", "hình lệch", "off by", false),
    Phrase {
        measured: "received_fps",
        threshold: "received_fps",
        before: text("số hình mỗi giây", "pictures a second"),
        unit: text("", ""),
        limit_is_upper: false,
    },
];

/// What became of the rules of a moved camera's zones.
pub(super) fn remark(measured: &Measures, lang: Lang) -> Option<&'static str> {
    let suspended = text("các quy tắc theo vùng tạm dừng", "rules of zones and lines are suspended");
    let shifted = text("vùng và vạch được dời theo hình", "zones and lines are moved along");
    measured.find("rules_suspended").map(|is| lang.of(if is > 0.0 { suspended } else { shifted }))
}

//! One event as one line that an operator reads.

use jiff::tz::TimeZone;

use super::{Picture, Seen};
use crate::publish::wire::{Incident, Measurement, System, UtcMillis};
use crate::text::{self, Lang};

/// Vietnam's time zone, for those who name no other; it has had no summer time since 1975.
#[must_use]
pub fn vietnam() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(7))
}

/// The line for what was seen, without a line break; `None` for what an operator need not know (duplicates). Times are
/// local to `zone`. Everything that came over the wire is cleaned of control characters before it is shown.
#[must_use]
pub fn line(seen: &Seen, lang: Lang, zone: &TimeZone) -> Option<String> {
    let line = match seen {
        Seen::Incident(arrival) if arrival.settles => settlement(&arrival.event, lang, zone),
        Seen::Incident(arrival) => incident(&arrival.event, lang, zone),
        Seen::System(arrival) => system(&arrival.event, lang, zone),
        Seen::Measurement(arrival) => measurement(&arrival.event, lang, zone),
        Seen::Subscribed => lang.of(text::SUBSCRIBED).to_owned(),
        Seen::Disconnected { reason } => format!("{}: {reason}", lang.of(text::DISCONNECTED)),
        Seen::Malformed { topic, reason } => format!("{}: {topic}: {reason}", lang.of(text::MALFORMED)),
        Seen::Picture(arrived) => picture(arrived, lang),
        Seen::Duplicate { .. } => return None,
    };
    Some(printable(&line))
}

/// The line for a picture, with what became of it in the folder where it was to be saved.
#[must_use]
pub fn saved_line(arrived: &Picture, saved: &std::io::Result<std::path::PathBuf>, lang: Lang) -> String {
    let end = match saved {
        Ok(path) => format!("{}: {}", lang.of(text::SAVED), path.display()),
        Err(error) => format!("{}: {error}", lang.of(text::NOT_SAVED)),
    };
    printable(&format!("{} · {end}", picture(arrived, lang)))
}

fn incident(event: &Incident, lang: Lang, zone: &TimeZone) -> String {
    let data = &event.data;
    let mut parts = vec![
        time(event.time, data.time_quality.synced, lang, zone),
        format!("[{}]", lang.of(text::severity(data.severity))),
        format!("{} ({})", lang.of_local(&data.label), lang.of(text::phase(data.phase))),
        text::place(event, lang),
    ];
    let objects = text::objects(event, lang);
    let direction = data.direction.as_deref().and_then(text::direction).map(|text| lang.of(text).to_owned());
    let why = text::why(&data.kind, &data.why.measured, &data.why.thresholds, lang);
    let late = data.replayed.then(|| format!("[{}]", lang.of(text::LATE)));
    parts.extend([Some(objects), direction, Some(why), late].into_iter().flatten().filter(|part| !part.is_empty()));
    parts.join(" · ")
}

fn measurement(event: &Measurement, lang: Lang, zone: &TimeZone) -> String {
    let data = &event.data;
    let late = data.replayed.then(|| format!("[{}]", lang.of(text::LATE)));
    let head = [
        time(data.started_at, data.time_quality.synced, lang, zone),
        lang.of(text::measure::MEASURES).to_owned(),
        lang.of_local(&data.camera.name).to_owned(),
    ];
    let parts: Vec<String> = head.into_iter().chain(text::measure::measures(data, lang)).chain(late).collect();
    parts.join(" · ")
}

fn system(event: &System, lang: Lang, zone: &TimeZone) -> String {
    let data = &event.data;
    let mut parts = vec![
        time(event.time, true, lang, zone),
        format!("[{}]", lang.of(text::severity(data.severity))),
        lang.of_local(&data.message).to_owned(),
        event.source.clone(),
    ];
    if let Some(lost) = &data.lost {
        parts.push(format!("{}: {}", lang.of(text::LOST), lost.count));
    }
    if let Some(withheld) = &data.withheld {
        parts.push(format!("{} · {}: {}", withheld.camera, withheld.rule, withheld.count));
    }
    if data.replayed {
        parts.push(format!("[{}]", lang.of(text::LATE)));
    }
    parts.join(" · ")
}

/// An operator has read the rest already.
fn settlement(event: &Incident, lang: Lang, zone: &TimeZone) -> String {
    let data = &event.data;
    let is_ready = data.evidence.iter().any(|piece| piece.state == "ready");
    let became = if is_ready { text::PICTURE_READY } else { text::PICTURE_FAILED };
    let parts = [
        time(event.time, data.time_quality.synced, lang, zone),
        format!("{} ({})", lang.of_local(&data.label), lang.of(became)),
        text::place(event, lang),
    ];
    parts.join(" · ")
}

fn picture(picture: &Picture, lang: Lang) -> String {
    let Picture { site, box_id, camera, incident, .. } = picture;
    let size = lang.number(picture.jpeg.len() as f64 / 1024.0);
    format!("{} · {site}/{box_id}/{camera} · {incident} · {size} KiB", lang.of(text::PICTURE))
}

fn time(time: UtcMillis, synced: bool, lang: Lang, zone: &TimeZone) -> String {
    let local = time.timestamp().to_zoned(zone.clone()).strftime("%d/%m/%Y %H:%M:%S");
    if synced { local.to_string() } else { format!("{local} ({})", lang.of(text::UNKNOWN_TIME)) }
}

/// Without what could steer a terminal: control characters, and marks that change the direction of writing.
fn printable(line: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    line.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::wire::{self, LocalText};
    use crate::watch::Arrival;

    /// The contract's own example.
    fn example() -> Incident {
        serde_json::from_str(include_str!("../../schemas/incident.example.json")).expect("the example of the contract")
    }

    fn shown(event: Incident, lang: Lang) -> String {
        let arrival = Arrival { topic: String::new(), payload: Vec::new(), event, settles: false };
        line(&Seen::Incident(Box::new(arrival)), lang, &vietnam()).expect("an operator reads incidents")
    }

    #[test]
    fn an_operator_reads_what_where_when_and_why() {
        assert_eq!(
            shown(example(), Lang::Vi),
            "22/11/2026 13:30:12 · [Khẩn cấp] · Nghi vấn đi ngược chiều (mới) · Hướng Nam Định, vùng lan-1 · xe máy · \
             đi ngược 1,6 giây, ngưỡng 1,5; lệch hướng 171°, ngưỡng 120°; đi được 5,2 lần chiều cao vật, ngưỡng 3"
        );
        let mut late = example();
        late.data.replayed = true;
        late.data.phase = wire::Phase::End;
        assert_eq!(
            shown(late, Lang::En),
            "22/11/2026 13:30:12 · [Critical] · Suspected wrong-way driving (ended) · Towards Nam Định, zone lan-1 · \
             motorcycle · against the way for 1.6 s, limit 1.5 s; off the heading by 171°, limit 120°; \
             moved 5.2 object heights, limit 3 · [late]"
        );
    }

    #[test]
    fn text_from_the_wire_cannot_steer_a_terminal() {
        let mut event = example();
        event.data.camera.name = LocalText { vi: "\u{1b}[2Jxóa\r\n\u{202e}".into(), en: "\u{7}\u{9b}31m".into() };
        for lang in [Lang::Vi, Lang::En] {
            let line = shown(event.clone(), lang);
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
    }

    #[test]
    fn what_became_of_a_picture_is_a_short_line() {
        let mut event = example();
        event.data.evidence[0].ready("0f".repeat(32), 5, None);
        let show = |event, lang| {
            let arrival = Arrival { topic: String::new(), payload: Vec::new(), event, settles: true };
            line(&Seen::Incident(Box::new(arrival)), lang, &vietnam()).expect("an operator reads incidents")
        };
        let expected = "22/11/2026 13:30:12 · Nghi vấn đi ngược chiều (đã có ảnh) · Hướng Nam Định, vùng lan-1";
        assert_eq!(show(event.clone(), Lang::Vi), expected);
        event.data.evidence[0].state = "failed".into();
        assert!(show(event, Lang::En).contains("(no picture)"));
    }

    #[test]
    fn a_saved_picture_says_where_it_is() {
        let picture = Picture {
            site: analytics::SiteId::new("nut").expect("valid"),
            box_id: analytics::BoxId::new("a").expect("valid"),
            camera: analytics::CameraId::new("nam").expect("valid"),
            incident: uuid::Uuid::from_u128(5),
            name: crate::evidence::EvidenceName::snapshot(1),
            jpeg: vec![0; 12_800],
        };
        let line = saved_line(&picture, &Ok("pictures/x.jpg".into()), Lang::Vi);
        assert_eq!(
            line,
            "ảnh sự việc · nut/a/nam · 00000000-0000-0000-0000-000000000005 · 12,5 KiB · đã lưu: pictures/x.jpg"
        );
        let full = Err(std::io::ErrorKind::StorageFull.into());
        assert!(saved_line(&picture, &full, Lang::En).ends_with("KiB · not saved: no storage space"));
    }

    #[test]
    fn words_of_a_later_version_are_left_out() {
        let mut event = example();
        event.data.kind = "flood".into();
        event.data.direction = Some("upwards".into());
        event.data.tracks[0].class = "elephant".into();
        let line = shown(event, Lang::Vi);
        assert!(!line.contains("upwards") && !line.contains("elephant"), "{line}");
    }
}

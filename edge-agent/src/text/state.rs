//! How cameras and the box are, in words: states, and the reasons that status and health messages give by code.

use analytics::Text;

use super::text;
use crate::publish::wire::{CameraState, HealthState, LocalText, Word};

pub(crate) const fn camera_state(state: CameraState) -> Text {
    match state {
        CameraState::Online => text("Hoạt động", "Online"),
        CameraState::Degraded => text("Chập chờn", "Degraded"),
        CameraState::Offline => text("Mất tín hiệu", "Offline"),
        CameraState::Disabled => text("Đã tắt", "Off"),
    }
}

pub(crate) const fn health_state(state: HealthState) -> Text {
    match state {
        HealthState::Ok => text("Bình thường", "All is well"),
        HealthState::Degraded => text("Cần chú ý", "Needs attention"),
    }
}

/// Codes of status and health messages, of cameras first.
const REASONS: &[(&str, Text)] = &[
    ("command", text("bị tắt theo lệnh từ trung tâm", "switched off by a command of the centre")),
    (
        "rule_disarmed",
        text("có quy tắc bị tắt theo lệnh từ trung tâm", "a rule is disarmed by a command of the centre"),
    ),
    (
        "camera_disabled",
        text("có camera bị tắt theo lệnh từ trung tâm", "a camera is switched off by a command of the centre"),
    ),
    (
        "log_level_changed",
        text("mức nhật ký đang được đổi theo lệnh, sẽ tự trở lại", "another level is logged on command, for a while"),
    ),
    (
        "commands_refused",
        text(
            "máy chủ tin nhắn không cho hộp nhận lệnh: kiểm tra quyền của hộp với cmd/+",
            "the broker does not let the box hear commands: check its access rules for cmd/+",
        ),
    ),
    (
        "camera_moved",
        text(
            "camera bị xoay lệch hướng: các quy tắc theo vùng tạm dừng; hãy chỉnh lại camera hoặc vẽ lại vùng",
            "the camera looks elsewhere: rules of zones and lines are suspended; turn it back, or draw them anew",
        ),
    ),
    (
        "camera_shifted",
        text(
            "camera bị lệch nhẹ: vùng và vạch được dời theo hình",
            "the camera is a little off: zones and lines are moved along",
        ),
    ),
    (
        "record_offline",
        text(
            "luồng ghi hình (record) mất tín hiệu; phân tích vẫn chạy",
            "the record stream is offline; analysis goes on",
        ),
    ),
    (
        "clock_unknown",
        text(
            "camera không cho biết giờ của nó (không có RTCP sender report): không xét lệch giờ",
            "the camera does not tell its clock (no RTCP sender reports): camera-clock-drift is not judged",
        ),
    ),
    (
        "signal_silent",
        text(
            "không nhận được pha đèn tín hiệu qua MQTT: kiểm tra tủ điều khiển đèn và topic",
            "the signal's phase is not reported over MQTT: check the signal controller and the topic",
        ),
    ),
    (
        "signal_stale",
        text(
            "pha đèn tín hiệu nhận qua MQTT đã cũ: nguồn gửi phải ghi time và gửi lại đều đặn",
            "the signal's phase reported over MQTT is old: its sender must write time, and report regularly",
        ),
    ),
    (
        "signal_clock",
        text(
            "pha đèn tín hiệu nhận qua MQTT có giờ ở tương lai: kiểm tra đồng hồ của nguồn gửi và của hộp",
            "the signal's phase reported over MQTT is of the future: check its sender's clock and the box's",
        ),
    ),
    (
        "signal_malformed",
        text(
            "bản tin pha đèn tín hiệu qua MQTT sai định dạng: xem lược đồ signal_phase",
            "what is reported of the signal over MQTT is malformed: see the schema signal_phase",
        ),
    ),
    (
        "signal_refused",
        text(
            "máy chủ MQTT không cho hộp đọc topic của đèn tín hiệu: kiểm tra quyền truy cập",
            "the broker does not let the box read the signal's topic: check its access rules",
        ),
    ),
    ("ladder_lower_rate", text("tạm phân tích thưa hơn yêu cầu", "analysed less often than asked for the time being")),
    (
        "ladder_smaller_input",
        text(
            "tạm phân tích với hình thu nhỏ: vật nhỏ, ở xa có thể bị bỏ sót",
            "looked at in less detail for the time being: what is small or far may be missed",
        ),
    ),
    (
        "ladder_key_frames",
        text(
            "tạm chỉ giải mã khung hình khóa: các quy tắc cần theo dõi chuyển động không được xét",
            "only key frames are decoded for the time being: rules that follow what moves are not judged",
        ),
    ),
    (
        "ladder_paused",
        text(
            "tạm dừng phân tích, nhường cho camera ưu tiên hơn; luồng hình vẫn được nhận",
            "analysis is paused in favour of cameras that matter more; the stream is still received",
        ),
    ),
    (
        "ladder_counts_only",
        text(
            "tạm chỉ đếm đối tượng trong một hình mỗi 10 giây: hầu hết quy tắc không được xét, không chụp hình sự việc",
            "only counts what is in one picture every 10 s for the time being: most rules are not judged, incidents are not photographed",
        ),
    ),
    (
        "ladder_health_only",
        text(
            "tạm dừng phân tích: chỉ còn theo dõi luồng hình có gửi về hay không",
            "analysis is paused: only whether pictures come is watched",
        ),
    ),
    (
        "overloaded",
        text("hộp quá tải: không kịp phân tích tất cả", "the box is overloaded: it cannot analyse all that is asked"),
    ),
    (
        "hot",
        text("hộp quá nóng: kiểm tra quạt và thông gió của tủ", "the box is hot: check the cabinet's fan and vents"),
    ),
    ("device_missing", text("không thấy camera cắm vào hộp: hãy cắm lại", "the camera is not plugged into the box")),
    (
        "decoder_fallback",
        text(
            "bộ giải mã được ưu tiên trong cấu hình phần cứng không dùng được: đang dùng bộ giải mã kế tiếp, tốn CPU hơn",
            "a decoder that the hardware profile prefers cannot be used: the next one decodes, for more CPU",
        ),
    ),
    (
        "device_forbidden",
        text(
            "chương trình không có quyền mở camera: thêm người dùng vào nhóm video",
            "the camera may not be opened: add the program's user to the group video",
        ),
    ),
    ("device_busy", text("camera đang bị chương trình khác dùng", "another program uses the camera")),
    (
        "device_not_a_camera",
        text("thiết bị này không phải camera: kiểm tra device", "the device is no camera: check device"),
    ),
    (
        "device_format",
        text(
            "camera không có kích thước hoặc tốc độ đã đặt: kiểm tra size và fps",
            "the camera does not have the size or rate asked for: check size and fps",
        ),
    ),
    ("device_lost", text("camera cắm vào hộp đã ngừng gửi hình", "the camera on the box stopped")),
    ("connecting", text("đang kết nối lần đầu", "connecting for the first time")),
    ("configuration", text("tắt trong tệp cấu hình", "switched off in the site file")),
    ("unreachable", text("không liên lạc được với camera", "the camera cannot be reached")),
    (
        "not_found",
        text(
            "camera không có luồng hình ở đường dẫn này: kiểm tra url",
            "the camera has no stream at this path: check the url",
        ),
    ),
    (
        "unauthorised",
        text(
            "camera từ chối đăng nhập: kiểm tra tài khoản và mật khẩu",
            "the camera refuses the log-in: check user and password",
        ),
    ),
    (
        "unsupported_codec",
        text(
            "chuẩn nén của camera không dùng được: hãy đặt H.264, H.265 hoặc MJPEG",
            "the camera's codec cannot be used: set it to H.264, H.265 or Motion JPEG",
        ),
    ),
    ("stalled", text("camera vẫn kết nối nhưng không gửi hình", "the camera is connected and sends no picture")),
    ("end_of_stream", text("camera đã ngắt luồng hình", "the camera ended the stream")),
    ("decoder", text("không giải mã được luồng hình", "the stream cannot be decoded")),
    (
        "missing_element",
        text("hộp thiếu thành phần giải mã của GStreamer", "a decoding part of GStreamer is not installed on the box"),
    ),
    ("invalid_url", text("địa chỉ camera không hợp lệ", "the camera's address is not valid")),
    (
        "stuck",
        text(
            "bộ giải mã của camera bị treo, các kết nối cũ chưa đóng được: nếu kéo dài hãy khởi động lại dịch vụ",
            "the camera's decoder hangs, earlier connections do not close: if it stays so, start the service again",
        ),
    ),
    ("panicked", text("lỗi phần mềm khi nhận hình; đang thử lại", "a software fault while receiving; trying again")),
    (
        "parked",
        text(
            "luồng hình của camera đã nhiều lần làm sập chương trình: tạm ngừng kết nối, hãy kiểm tra camera",
            "the camera's stream crashed the program again and again: not connected for now, have the camera looked at",
        ),
    ),
    ("file", text("không đọc được tệp video", "the video file cannot be read")),
    (
        "evidence_failing",
        text(
            "không tạo hoặc không lưu được hình sự việc: kiểm tra ổ đĩa và nhật ký",
            "pictures of incidents cannot be made or kept: check the disk and the log",
        ),
    ),
    (
        "provider_fallback",
        text(
            "mô hình không chạy trên phần cứng được ưu tiên mà trên phần cứng dự phòng",
            "a model runs on a fallback, not on the hardware preferred",
        ),
    ),
    (
        "descriptors_short",
        text(
            "hộp hết số tệp và kết nối được mở (file descriptor): không mở thêm kết nối; hãy tăng LimitNOFILE hoặc bớt camera",
            "the box has no file descriptors left: no new connection is made; raise LimitNOFILE or take fewer cameras",
        ),
    ),
    (
        "memory_short",
        text(
            "hộp thiếu bộ nhớ: tạm giữ ít hình xem lại hơn, nếu kéo dài sẽ phân tích ít hơn; kiểm tra chương trình khác trên hộp",
            "memory is short: less of the record streams is held, and less is analysed if it lasts; see what else runs on the box",
        ),
    ),
    (
        "writes_over_budget",
        text(
            "ghi xuống bộ nhớ flash nhiều hơn hạn mức mỗi ngày, ổ sẽ mau hỏng: xem storage.writes_per_day",
            "more is written to the flash than its budget a day, which wears it out early: see storage.writes_per_day",
        ),
    ),
    (
        "tracks_failing",
        text(
            "không ghi được vết chuyển động (tracks): kiểm tra ổ đĩa và quyền ghi; sự kiện không bị ảnh hưởng",
            "recorded tracks cannot be written: check the disk and its permissions; events do not depend on them",
        ),
    ),
    ("camera_not_online", text("có camera không hoạt động", "a camera is not online")),
    (
        "analysis_behind",
        text("phân tích không kịp số khung hình yêu cầu", "analysis does not keep up with the rate asked for"),
    ),
    (
        "outbox_failing",
        text(
            "không ghi được sự kiện xuống đĩa: kiểm tra dung lượng và ổ đĩa",
            "events cannot be written: check free space and the disk",
        ),
    ),
    (
        "audit_failing",
        text(
            "không ghi được nhật ký kiểm toán: kiểm tra dung lượng và ổ đĩa",
            "the audit log cannot be written: check free space and the disk",
        ),
    ),
    (
        "audit_damaged",
        text(
            "nhật ký kiểm toán không còn nguyên vẹn: chạy edge-agent audit verify",
            "the audit log is not as it was written: run edge-agent audit verify",
        ),
    ),
    (
        "retention_failing",
        text(
            "không xóa được dữ liệu đã hết thời hạn lưu: kiểm tra ổ đĩa và quyền ghi",
            "data beyond its retention cannot be deleted: check the disk and its permissions",
        ),
    ),
    (
        "syslog_failing",
        text(
            "không gửi được nhật ký kiểm toán tới máy chủ syslog: xem nhật ký, kiểm tra mạng và chứng thư",
            "audit lines do not reach the syslog collector: see the log, check network and certificates",
        ),
    ),
    (
        "holds_fill_evidence",
        text(
            "bằng chứng đang được giữ theo yêu cầu đã chiếm hết dung lượng: hình và clip mới bị xóa sớm",
            "evidence on legal hold takes all the room for evidence: new pictures and clips go early",
        ),
    ),
    ("clock_not_synced", text("đồng hồ của hộp chưa được đồng bộ", "the box's clock is not synchronised")),
    (
        "signal_unknown",
        text(
            "không biết pha của một đèn tín hiệu: vượt đèn đỏ tại đó không được xét",
            "the phase of a traffic signal is unknown: red light is not judged there",
        ),
    ),
    (
        "status_page_unavailable",
        text(
            "không mở được trang trạng thái: cổng đã bị chiếm, xem nhật ký",
            "the status page cannot be opened: its port is taken, see the log",
        ),
    ),
    (
        "certificate_expires_30d",
        text(
            "chứng chỉ của hộp hết hạn trong vòng 30 ngày: xin chứng chỉ mới rồi thay tệp, không cần khởi động lại",
            "the box's certificate ends within 30 days: have it renewed and replace the files; no restart is needed",
        ),
    ),
    (
        "certificate_expires_7d",
        text(
            "KHẨN: chứng chỉ của hộp hết hạn trong vòng 7 ngày: xin chứng chỉ mới rồi thay tệp, không cần khởi động lại",
            "URGENT: the box's certificate ends within 7 days: have it renewed and replace the files; no restart is needed",
        ),
    ),
    (
        "certificate_expired",
        text(
            "chứng chỉ của hộp đã hết hạn: xin chứng chỉ mới rồi thay tệp, không cần khởi động lại",
            "the box's certificate has expired: have it renewed and replace the files; no restart is needed",
        ),
    ),
    (
        "certificate_not_yet_valid",
        text(
            "chứng chỉ của hộp chưa đến ngày có hiệu lực: có lẽ đồng hồ của hộp sai, hãy kiểm tra giờ",
            "the box's certificate is not valid yet: most likely the box's clock is wrong",
        ),
    ),
    (
        "ca_expires_30d",
        text(
            "chứng chỉ của đơn vị cấp (mqtt.ca) hết hạn trong vòng 30 ngày: bổ sung chứng chỉ mới của đơn vị cấp vào tệp, giữ cả chứng chỉ cũ cho đến khi đổi xong",
            "the authority's certificate (mqtt.ca) ends within 30 days: add the authority's new one to the file, and keep the old one until all is moved",
        ),
    ),
    (
        "ca_expires_7d",
        text(
            "KHẨN: chứng chỉ của đơn vị cấp (mqtt.ca) hết hạn trong vòng 7 ngày: bổ sung chứng chỉ mới của đơn vị cấp vào tệp, giữ cả chứng chỉ cũ cho đến khi đổi xong",
            "URGENT: the authority's certificate (mqtt.ca) ends within 7 days: add the authority's new one to the file, and keep the old one until all is moved",
        ),
    ),
    (
        "ca_expired",
        text(
            "chứng chỉ của đơn vị cấp (mqtt.ca) đã hết hạn: bổ sung chứng chỉ mới của đơn vị cấp vào tệp, giữ cả chứng chỉ cũ cho đến khi đổi xong",
            "the authority's certificate (mqtt.ca) has expired: add the authority's new one to the file, and keep the old one until all is moved",
        ),
    ),
    (
        "ca_not_yet_valid",
        text(
            "chứng chỉ của đơn vị cấp (mqtt.ca) chưa đến ngày có hiệu lực: có lẽ đồng hồ của hộp sai, hãy kiểm tra giờ",
            "the authority's certificate (mqtt.ca) is not valid yet: most likely the box's clock is wrong",
        ),
    ),
    (
        "broker_certificate_expires_30d",
        text(
            "chứng chỉ của máy chủ MQTT hết hạn trong vòng 30 ngày: báo trung tâm gia hạn",
            "the broker's certificate ends within 30 days: ask the centre to renew it",
        ),
    ),
    (
        "broker_certificate_expires_7d",
        text(
            "KHẨN: chứng chỉ của máy chủ MQTT hết hạn trong vòng 7 ngày: báo trung tâm gia hạn",
            "URGENT: the broker's certificate ends within 7 days: ask the centre to renew it",
        ),
    ),
    (
        "broker_certificate_expired",
        text(
            "chứng chỉ của máy chủ MQTT đã hết hạn: báo trung tâm gia hạn",
            "the broker's certificate has expired: ask the centre to renew it",
        ),
    ),
    (
        "broker_certificate_not_yet_valid",
        text(
            "chứng chỉ của máy chủ MQTT chưa đến ngày có hiệu lực: có lẽ đồng hồ của hộp sai, hãy kiểm tra giờ",
            "the broker's certificate is not valid yet: most likely the box's clock is wrong",
        ),
    ),
    (
        "certificate_files",
        text(
            "tệp chứng chỉ mới không dùng được, hộp vẫn dùng tệp cũ: xem lý do ở mục máy chủ MQTT",
            "new certificate files cannot be used, the old ones still are: the broker's tile says why",
        ),
    ),
    (
        "plaintext",
        text(
            "kết nối tới máy chủ MQTT không mã hóa (allow_plaintext): ai trên đường truyền cũng đọc và giả mạo được sự kiện",
            "the broker is reached without encryption (allow_plaintext): anyone on the way can read and forge events",
        ),
    ),
    ("starting", text("đang khởi động", "starting")),
    ("health_not_ticking", text("vòng theo dõi của chương trình đã dừng", "the program's own watch has stopped")),
    (
        "nothing_analysed",
        text("có hình gửi về nhưng không hình nào được phân tích", "pictures arrive and none is analysed"),
    ),
];

/// What a code of a status or health message means; the code itself, for one that has no words here.
pub(crate) fn reason(code: &str) -> LocalText {
    let known = REASONS.iter().find(|(known, _)| *known == code);
    let unknown = || LocalText { vi: Word::Owned(code.to_owned()), en: Word::Owned(code.to_owned()) };
    known.map_or_else(unknown, |(_, text)| (*text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words in quotes that stand between these two in a source of ours.
    fn codes(source: &'static str, before: &str, after: &str) -> Vec<&'static str> {
        let parts = source.split(before).skip(1);
        parts.filter_map(|part| part.split_once(after).map(|(code, _)| code)).collect()
    }

    #[test]
    fn a_reason_has_words_once() {
        let mut codes: Vec<_> = REASONS.iter().map(|(code, _)| code).collect();
        codes.sort_unstable();
        let twice: Vec<_> = codes.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn every_reason_that_the_program_gives_has_words() {
        let of_cameras = codes(include_str!("../source/error.rs"), " => \"", "\"");
        let of_signals = codes(include_str!("../signal/board.rs"), "=> \"", "\"");
        let of_box = codes(include_str!("../status/health.rs"), "reasons.push(\"", "\"");
        let dead = codes(include_str!("../status/live.rs"), "reasons.push(\"", "\"");
        assert!(of_cameras.len() >= 12 && of_box.len() >= 5 && dead.len() >= 3, "{of_cameras:?} {of_box:?} {dead:?}");
        assert_eq!(of_signals.len(), 5, "{of_signals:?}");
        let of_ladder: Vec<_> = crate::ladder::Step::ALL.into_iter().filter_map(crate::ladder::Step::reason).collect();
        let causes = {
            use crate::ladder::Cause::{Hot, Late, MemoryShort};
            [Late, Hot, MemoryShort]
        }
        .map(crate::ladder::Cause::reason)
        .to_vec();
        let of_transport = crate::status::transport::CODES.concat();
        let more = vec![crate::status::transport::CERTIFICATE_FILES, crate::status::transport::PLAINTEXT];
        for code in [
            of_transport,
            more,
            of_ladder,
            causes,
            of_cameras,
            of_signals,
            of_box,
            dead,
            vec!["connecting", "configuration", "starting"],
        ]
        .concat()
        {
            assert!(REASONS.iter().any(|(known, _)| *known == code), "{code} has no words");
        }
        assert_eq!(reason("of_a_later_version").vi, "of_a_later_version");
    }
}

//! Why a command was refused or failed, and what to do, in the operator's words.

use analytics::Text;

use super::text;
use crate::publish::wire::{AckState, CommandName, Reason};

/// The reason and its cure.
pub(crate) const fn reason(reason: Reason) -> Text {
    match reason {
        Reason::TooLarge => {
            text("lệnh lớn hơn 64 KiB: hãy gửi lệnh nhỏ hơn", "the command is larger than 64 KiB: send a smaller one")
        }
        Reason::Malformed => text(
            "lệnh sai định dạng: hãy đối chiếu với lược đồ cmd_… của lệnh",
            "the command is malformed: compare it with its schema, cmd_…",
        ),
        Reason::UnknownCommand => text(
            "hộp không có lệnh này: xem danh sách lệnh trong docs/commands.md, hoặc cập nhật phần mềm của hộp",
            "there is no such command: see the list in docs/commands.md, or update the box's program",
        ),
        Reason::WrongTopic => text(
            "tên lệnh không khớp với topic: hãy gửi đến cmd/{name} của chính lệnh đó",
            "the topic is another command's: send it to cmd/{name} of its own name",
        ),
        Reason::Retained => text(
            "lệnh được gửi kèm cờ retain: hãy xóa bản retain và gửi lại không có cờ này, với id mới",
            "the command was retained: clear it from the broker and send it without that flag, with a new id",
        ),
        Reason::Expired => text(
            "lệnh đã hết hạn: nếu vẫn cần, hãy gửi lại với id và thời hạn mới",
            "the command has expired: if it is still wanted, send it with a new id and a new expiry",
        ),
        Reason::FutureDated => text(
            "giờ phát lệnh ở tương lai: kiểm tra đồng hồ của bên gửi",
            "the command was issued in the future: check the sender's clock",
        ),
        Reason::LivesTooLong => text(
            "thời hạn của lệnh quá 24 giờ hoặc trước giờ phát lệnh: hãy rút ngắn (thường 60 giây là đủ)",
            "the command is valid for more than 24 hours, or for no time: give it less, 60 s as a rule",
        ),
        Reason::ClockNotSynced => text(
            "đồng hồ của hộp chưa đồng bộ nên không biết lệnh còn mới hay không: hãy ghi session hiện tại (trong birth) vào lệnh, \
             hoặc chờ đồng hồ đồng bộ",
            "the box's clock is not synchronised, so that it cannot tell whether the command is fresh: write the present session \
             (see birth) into it, or wait for the clock",
        ),
        Reason::StaleSession => text(
            "lệnh thuộc một phiên kết nối khác của hộp: đọc session trong birth và gửi lại với id mới",
            "the command was issued for another session of the box: read the session in birth and send it with a new id",
        ),
        Reason::RateLimited => text(
            "quá nhiều lệnh cùng lúc: chờ một lúc rồi gửi lại, id cũ vẫn dùng được",
            "too many commands at once: wait and send it again, with the same id if you like",
        ),
        Reason::Busy => text(
            "hộp đang làm một lệnh cùng loại: chờ trả lời của lệnh đó rồi gửi lại, id cũ vẫn dùng được",
            "a command of this kind is being done: wait for its answer and send it again, with the same id if you like",
        ),
        Reason::UnknownCamera => text(
            "hộp không có camera này: xem danh sách camera trong birth",
            "the box has no such camera: see those in its birth",
        ),
        Reason::DisabledInFile => text(
            "camera này bị tắt trong tệp cấu hình: hãy bật lại trong tệp",
            "the site file has this camera off: switch it on there",
        ),
        Reason::UnknownRule => text(
            "camera này không có quy tắc đó: xem danh sách quy tắc trong birth",
            "the camera has no such rule: see those in the box's birth",
        ),
        Reason::UnknownIncident => text(
            "hộp không biết (hoặc không còn nhớ) sự việc này: kiểm tra incident_id và đúng hộp",
            "the box does not know this incident, or no longer: check incident_id, and that it is this box's",
        ),
        Reason::UnknownEvidence => text(
            "hộp không có ảnh hoặc clip này: có thể đã hết thời gian lưu, hoặc chưa ghi xong",
            "the box has no such picture or clip: its time of keeping is over, or it is not ready yet",
        ),
        Reason::BadTime => text(
            "giờ kết thúc phải ở tương lai và không quá 24 giờ (mức nhật ký) hoặc 31 ngày (camera, quy tắc)",
            "`until` must be ahead, by at most 24 hours (log level) or 31 days (camera, rule)",
        ),
        Reason::BadOffset => text(
            "offset vượt quá cuối tệp: xem kích thước trong trả lời",
            "the offset is beyond the file's end: see its size",
        ),
        Reason::NoPicture => {
            text("camera chưa có hình: xem trạng thái camera", "the camera gives no picture: see its status")
        }
        Reason::BudgetUsedUp => text(
            "đã hết dung lượng gửi theo yêu cầu của hôm nay: gửi tiếp từ offset này vào ngày mai",
            "what may be sent on demand is used up for today: go on from this offset tomorrow",
        ),
        Reason::Interrupted => text(
            "chương trình dừng khi đang làm lệnh: gửi lại với id mới, từ offset đã nhận",
            "the program ended meanwhile: send it with a new id, from the offset that was received",
        ),
        Reason::NotMade => text(
            "không làm được: xem nhật ký và tình trạng đĩa của hộp",
            "it could not be made or read: see the box's log and its disk",
        ),
        Reason::StaleBase => text(
            "cấu hình của hộp đã khác với bản dùng để soạn: lấy lại bằng config-fetch, sửa rồi gửi với id mới",
            "the box's configuration is no longer the one this was made from: fetch it, change it, send it with a new id",
        ),
        Reason::InvalidConfiguration => text(
            "cấu hình có lỗi, không có gì thay đổi: sửa chỗ ghi trong chi tiết rồi gửi với id mới",
            "the configuration has errors and nothing was changed: see the detail, then send it with a new id",
        ),
        Reason::NotFromAfar => text(
            "mục này chỉ được đổi tại hộp: bỏ thay đổi đó, hoặc sửa tệp cấu hình trên hộp",
            "this can only be changed at the box: leave it as it is, or change the site file there",
        ),
        Reason::NotSigned => text(
            "hộp này chỉ nhận cấu hình có chữ ký của khóa được tin cậy: ký đúng tệp gửi đi bằng minisign rồi gửi với id mới",
            "this box takes only what one of its keys signed: sign the very file with minisign, send it with a new id",
        ),
        Reason::RolledBack => text(
            "đã thử rồi quay lại cấu hình trước: xem chi tiết, sửa và gửi với id mới",
            "it was tried and the configuration before is in force again: see the detail, then send it with a new id",
        ),
        Reason::NotHere => text(
            "lần chạy này của chương trình không nhận cấu hình: dùng dịch vụ edge-agent run",
            "this run of the program takes no configuration: use the service, edge-agent run",
        ),
    }
}

/// How a command stands.
pub(crate) const fn state(state: AckState) -> Text {
    match state {
        AckState::Accepted => text("đã nhận, đang làm", "accepted, being done"),
        AckState::Done => text("đã xong", "done"),
        AckState::Failed => text("không làm được", "failed"),
        AckState::Refused => text("bị từ chối", "refused"),
    }
}

/// What a command does.
pub(crate) const fn name(name: CommandName) -> Text {
    match name {
        CommandName::Snapshot => text("Chụp ảnh ngay", "Snapshot"),
        CommandName::EvidenceFetch => text("Lấy bằng chứng", "Evidence fetch"),
        CommandName::Camera => text("Bật/tắt camera", "Camera on/off"),
        CommandName::Rule => text("Bật/tắt quy tắc", "Rule on/off"),
        CommandName::Acknowledge => text("Đã xem", "Acknowledge"),
        CommandName::Verdict => text("Kết luận", "Verdict"),
        CommandName::Rebirth => text("Gửi lại trạng thái", "Rebirth"),
        CommandName::LogLevel => text("Mức nhật ký", "Log level"),
        CommandName::ConfigFetch => text("Xem cấu hình", "Configuration"),
        CommandName::ConfigApply => text("Áp dụng cấu hình", "Apply configuration"),
    }
}

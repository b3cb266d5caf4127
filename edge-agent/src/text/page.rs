//! What stands on the status page beside the data, by the name that the page's template gives it.

use analytics::Text;

use super::{Lang, text};
use crate::access::{Refusal, Role};

/// Plain text: none of it may hold what HTML would read as markup.
const LABELS: &[(&str, Text)] = &[
    ("lang", text("vi", "en")),
    ("title", text("Trạng thái hộp giao thông", "Junction box status")),
    ("box", text("Hộp", "Box")),
    ("version", text("phiên bản", "version")),
    ("other_lang", text("English", "Tiếng Việt")),
    ("other_lang_code", text("en", "vi")),
    ("no_script", text("Trang này cần JavaScript.", "This page needs JavaScript.")),
    (
        "lost_agent",
        text(
            "Mất liên lạc với chương trình trên hộp. Dữ liệu bên dưới đã cũ, cập nhật lần cuối lúc",
            "No contact with the program on the box. What is shown below is old, last updated at",
        ),
    ),
    (
        "never_heard",
        text(
            "Chưa liên lạc được với chương trình trên hộp; đang thử lại.",
            "No contact with the program on the box yet; trying again.",
        ),
    ),
    ("overview", text("Tổng quan", "Overview")),
    ("state", text("Trạng thái", "State")),
    ("broker", text("Máy chủ tin nhắn (MQTT)", "Broker (MQTT)")),
    ("connected", text("Đã kết nối", "Connected")),
    ("disconnected", text("Mất kết nối", "Not connected")),
    ("host_offline", text("trung tâm chưa sẵn sàng nhận", "the centre does not listen yet")),
    ("certificate_until", text("chứng chỉ của hộp có hiệu lực đến", "the box's certificate is valid until")),
    ("delivered", text("đã gửi", "delivered")),
    ("since", text("từ", "since")),
    ("outbox", text("Hàng chờ gửi", "Outbox")),
    ("waiting", text("sự kiện đang chờ", "events waiting")),
    ("nothing_waiting", text("Trống", "Empty")),
    ("lost", text("sự kiện đã mất", "events lost")),
    ("clock", text("Đồng hồ", "Clock")),
    ("synced", text("Đã đồng bộ", "Synchronised")),
    ("not_synced", text("Chưa đồng bộ", "Not synchronised")),
    ("error_at_most", text("sai số tối đa", "error at most")),
    ("uptime", text("Đã chạy", "Running for")),
    ("days", text("ngày", "d")),
    ("memory", text("bộ nhớ", "memory")),
    ("writes", text("ghi xuống đĩa mỗi ngày", "written to the disk a day")),
    ("cameras", text("Camera", "Cameras")),
    ("precision", text("Kết luận của trực ban (đúng/đã xem xét)", "What operators found (confirmed/judged)")),
    ("disabled_cameras", text("Đã tắt trong cấu hình", "Switched off in the site file")),
    ("no_picture", text("Chưa có hình", "No picture yet")),
    ("loading_picture", text("Đang tải hình …", "Loading the picture …")),
    ("picture_of", text("Hình mới nhất của", "Latest picture of")),
    ("received", text("Nhận", "Received")),
    ("analysed", text("Phân tích", "Analysed")),
    ("per_second", text("hình/giây", "per second")),
    ("of_asked", text("yêu cầu", "asked for")),
    ("latency", text("Độ trễ", "Latency")),
    ("latency_note", text("trung vị / 95 %", "median / 95 %")),
    ("held", text("Luồng ghi hình giữ trong bộ nhớ", "Record stream held in memory")),
    ("model", text("Mô hình", "Model")),
    ("runs_on", text("chạy trên", "on")),
    ("incidents", text("Sự việc mới nhất", "Latest incidents")),
    ("no_incidents", text("Chưa có sự việc nào từ khi khởi động.", "No incident since start.")),
    ("why", text("Vì sao", "Why")),
    ("log_in", text("Đăng nhập", "Log in")),
    ("log_out", text("Đăng xuất", "Log out")),
    ("account_name", text("Tên tài khoản", "Account")),
    ("password", text("Mật khẩu", "Password")),
    (
        "no_account",
        text(
            "Chưa có tài khoản hoặc quên mật khẩu: hãy hỏi người quản trị hộp này.",
            "No account, or the password is forgotten: ask whoever keeps this box.",
        ),
    ),
    ("not_for_role", text("Vai trò của bạn không được xem mục này.", "Your role does not include this.")),
    ("technical", text("Kỹ thuật", "Technical")),
    ("configuration", text("Cấu hình đang dùng", "Configuration in force")),
    ("metrics", text("Số đo (Prometheus)", "Metrics (Prometheus)")),
    ("accounts", text("Tài khoản", "Accounts")),
    ("role", text("Vai trò", "Role")),
    ("way_in", text("Đăng nhập bằng", "Comes in by")),
    ("certificate", text("Chứng thư", "Certificate")),
    ("sessions", text("Phiên đăng nhập", "Sessions")),
    ("address", text("Địa chỉ", "Address")),
    ("session_age", text("Đã mở", "Open for")),
    ("session_idle", text("Không hoạt động", "Idle for")),
    ("session_ends", text("Hết hạn sau", "Ends in")),
];

/// What a role is called.
pub(crate) const fn role(role: Role) -> Text {
    match role {
        Role::Viewer => text("Người xem", "Viewer"),
        Role::Operator => text("Người vận hành", "Operator"),
        Role::Integrator => text("Kỹ thuật viên", "Integrator"),
        Role::Admin => text("Quản trị", "Admin"),
    }
}

/// Why a log-in is refused; `{s}` are the seconds to wait. As plain as the labels.
pub(crate) const fn refusal(refused: Refusal) -> Text {
    match refused {
        Refusal::Wrong => text("Tên tài khoản hoặc mật khẩu không đúng.", "Account or password is wrong."),
        Refusal::Wait(_) => text(
            "Sai quá nhiều lần. Hãy đợi {s} giây rồi thử lại.",
            "Too many failed. Wait {s} seconds, then try again.",
        ),
        Refusal::Busy => text(
            "Quá nhiều người đang đăng nhập. Hãy thử lại sau ít phút.",
            "Too many are logging in. Try again in a few minutes.",
        ),
    }
}

/// The template with every `{{name}}` replaced by its words.
///
/// # Panics
/// When the template names what has no words: it is part of the program.
pub(crate) fn fill(template: &str, lang: Lang) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("every {{ of the template is closed");
        let words = LABELS.iter().find(|(known, _)| *known == name).map(|(_, text)| lang.of(*text));
        page.push_str(words.unwrap_or_else(|| panic!("the page's template names {name}, which has no words")));
        page.push_str(rest);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_page_are_plain_and_each_is_used() {
        let templates = [include_str!("../page/page.html"), include_str!("../page/login.html")];
        for (name, text) in LABELS {
            let is_used = templates.iter().any(|template| template.contains(&format!("{{{{{name}}}}}")));
            assert!(is_used, "{name} is on no page");
            for words in [text.vi, text.en] {
                assert!(!words.is_empty() && !words.contains(['<', '>', '&', '"', '{']), "{words}");
            }
        }
        for lang in [Lang::Vi, Lang::En] {
            assert!(templates.iter().all(|template| !fill(template, lang).contains("{{")));
        }
    }
}

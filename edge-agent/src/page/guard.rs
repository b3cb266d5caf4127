//! Who may ask, and what a browser may do with the answer.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// A request may take so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Nothing but this page's own files, no frames around it, no inline script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// On every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Refuses what is not asked of loopback or brings a body, bounds the time, and adds the headers.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = if !names_loopback(request.uri(), request.headers()) {
        let cure = "This page answers only as localhost: open http://localhost:PORT/ (from afar over an SSH tunnel).\n";
        (StatusCode::MISDIRECTED_REQUEST, cure).into_response()
    } else if has_body(request.headers()) {
        (StatusCode::PAYLOAD_TOO_LARGE, "No request here has a body.\n").into_response()
    } else {
        match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "No answer in time.\n").into_response(),
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// Whether the one host that is asked is loopback by a name that no one else can give to it.
fn names_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(is_loopback) && uri.authority().is_none_or(|asked| is_loopback(asked.as_str()))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_answered() {
        for host in ["localhost", "LOCALHOST:8090", "127.0.0.1", "127.0.0.1:18090", "[::1]", "[::1]:8090"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:8090",
            "127.0.0.1.evil.example",
            "192.0.2.1:8090",
            "127.0.0.1:80:evil",
            "user@localhost",
            "[::1].evil",
            "0.0.0.0:8090",
            "localhost:80 evil",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}

//! Who may ask, and what a browser may do with the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// A request may take so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a form.
const FORM_BYTES: u64 = 4096;

/// Nothing but this page's own files, no frames around it, no inline script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same, with forms to log in and out.
const POLICY_OF_FORMS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src \
                               'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// On every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// On every answer to another machine, besides. Browsers tell forms' origin by the referrer policy: with `no-referrer` it
/// would be `null`.
const REMOTE_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY_OF_FORMS),
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Which requests are answered.
#[derive(Debug, Clone)]
pub(super) enum Guard {
    /// Those that name loopback.
    Loopback,
    /// Those that name one of these; forms of this page's own alone.
    Names(Arc<[String]>),
}

/// Refuses what is not asked of this page by its name, or brings what nobody asked for, bounds the time, and adds the
/// headers.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.refusal(request.method(), request.uri(), request.headers()) {
        Some((status, words)) => (status, words).into_response(),
        None => match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "No answer in time.\n").into_response(),
        },
    };
    let remote = if matches!(guard, Guard::Loopback) { &[][..] } else { &REMOTE_HEADERS };
    for (name, value) in HEADERS.iter().chain(remote) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Guard {
    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        if !self.is_named(uri, headers) {
            let cure = match self {
                Self::Loopback => {
                    "This page answers only as localhost: open http://localhost:PORT/ (from afar over an SSH tunnel).\n"
                }
                Self::Names(_) => "This page does not answer to that name: see status.remote.names in the site file.\n",
            };
            return Some((StatusCode::MISDIRECTED_REQUEST, cure));
        }
        let takes_forms = matches!(self, Self::Names(_)) && method == Method::POST;
        if !takes_forms {
            return has_body(headers).then_some((StatusCode::PAYLOAD_TOO_LARGE, "No request here has a body.\n"));
        }
        if !is_own_form(headers) {
            return Some((StatusCode::FORBIDDEN, "A form of another page is not taken.\n"));
        }
        (!is_small(headers)).then_some((StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.\n"))
    }

    /// Whether the one host that is asked is this page by a name that no one else can give to it.
    fn is_named(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(host) = host(headers) else { return false };
        self.is_mine(host) && uri.authority().is_none_or(|asked| self.is_mine(asked.as_str()))
    }

    fn is_mine(&self, host: &str) -> bool {
        match self {
            Self::Loopback => is_loopback(host),
            Self::Names(names) => {
                let host = without_port(host);
                names.iter().any(|name| name.eq_ignore_ascii_case(host))
            }
        }
    }
}

/// The one `Host`.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, None) = (hosts.next()?, hosts.next()) else { return None };
    host.to_str().ok()
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

fn is_small(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    !headers.contains_key(header::TRANSFER_ENCODING) && length.is_none_or(|length| length <= FORM_BYTES)
}

/// Whether a form comes from this page itself: by `Sec-Fetch-Site` (W3C Fetch Metadata), which no page can forge, and
/// by `Origin` (RFC 6454) where the browser tells either. A request that tells neither is no browser's and is refused too.
fn is_own_form(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site == "same-origin");
    let own = host(headers).map(|host| format!("https://{host}"));
    let origin = headers.get(header::ORIGIN).map(|origin| own.as_deref().is_some_and(|own| origin == own));
    site != Some(false) && origin != Some(false) && (site.is_some() || origin.is_some())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
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

    #[test]
    fn beyond_loopback_only_the_names_of_the_site_file_are_answered() {
        let guard = Guard::Names(["box-a.example".to_owned(), "[2001:db8::1]".to_owned()].into());
        for host in ["box-a.example", "Box-A.Example:8443", "[2001:db8::1]", "[2001:db8::1]:8443"] {
            assert!(guard.is_mine(host), "{host}");
        }
        for host in [
            "",
            "localhost",
            "127.0.0.1",
            "box-a.example.evil",
            "evil.box-a.example",
            "2001:db8::1:8443",
            "a@box-a.example",
        ] {
            assert!(!guard.is_mine(host), "{host}");
        }
    }

    #[test]
    fn forms_of_other_pages_and_of_no_page_are_not_taken() {
        let own = |told: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("box:8443"));
            for (name, value) in told {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_own_form(&headers)
        };
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "https://box:8443")]));
        assert!(own(&[("origin", "https://box:8443")]), "a browser without Sec-Fetch-Site");
        for told in [
            &[][..],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://box:8444")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("origin", "https://box")],
            &[("origin", "http://box:8443")],
            &[("origin", "null")],
        ] {
            assert!(!own(told), "{told:?}");
        }
    }
}

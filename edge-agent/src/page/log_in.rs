//! The form to log in, its answers, and the session's cookie.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::routes::Asked;
use crate::access::{Access, Attempt, Identity, Peer, Refusal};
use crate::secret::Secret;
use crate::text::Lang;
use crate::text::page::{fill, refusal};

/// `__Host-`: browsers take it over TLS alone, for this host alone, for all of it (RFC 6265bis §4.1.3.2). Without an
/// age: it goes when the browser is closed.
const COOKIE: &str = "__Host-ngatu";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// Where the form is.
pub(super) const fn path(lang: Lang) -> &'static str {
    match lang {
        Lang::Vi => "/login",
        Lang::En => "/login?lang=en",
    }
}

const fn home(lang: Lang) -> &'static str {
    match lang {
        Lang::Vi => "/",
        Lang::En => "/?lang=en",
    }
}

/// The id of the session that a request names.
pub(super) fn session_in(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|cookies| cookies.to_str().ok());
    let mut cookies = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE).map(|(_, id)| id.to_owned())
}

/// The form; whoever is in already is sent on.
pub(super) async fn form(Extension(identity): Extension<Option<Identity>>, Query(asked): Query<Asked>) -> Response {
    let lang = asked.lang();
    if identity.is_some() {
        return Redirect::to(home(lang)).into_response();
    }
    page(lang, None).into_response()
}

/// Tries what the form says.
pub(super) async fn log_in(
    Extension(access): Extension<Arc<Access>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let form = Form::read(&form);
    let attempt = Attempt { name: form.name, password: form.password, address: peer.address };
    match access.log_in(attempt, Instant::now()).await {
        Ok(id) => {
            // Another one than before, always: an id that somebody else planted is worth nothing.
            if let Some(before) = session_in(&headers) {
                access.log_out(&before).await;
            }
            let cookie = format!("{COOKIE}={}; {ATTRIBUTES}", id.expose());
            ([(header::SET_COOKIE, cookie)], Redirect::to(home(form.lang))).into_response()
        }
        Err(refused) => {
            let page = page(form.lang, Some(refused));
            match refused {
                Refusal::Wrong => (StatusCode::FORBIDDEN, page).into_response(),
                Refusal::Wait(wait) => {
                    let after = [(header::RETRY_AFTER, seconds(wait).to_string())];
                    (StatusCode::TOO_MANY_REQUESTS, after, page).into_response()
                }
                Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, page).into_response(),
            }
        }
    }
}

/// Ends the session.
pub(super) async fn log_out(Extension(access): Extension<Arc<Access>>, headers: HeaderMap, form: Bytes) -> Response {
    if let Some(id) = session_in(&headers) {
        access.log_out(&id).await;
    }
    let cookie = format!("{COOKIE}=; Max-Age=0; {ATTRIBUTES}");
    ([(header::SET_COOKIE, cookie)], Redirect::to(path(Form::read(&form).lang))).into_response()
}

/// What was typed. None of it is ever shown again.
struct Form {
    name: String,
    password: Secret,
    lang: Lang,
}

impl Form {
    /// What is missing is empty, and fits no account.
    fn read(form: &[u8]) -> Self {
        let (mut name, mut password, mut lang) = (String::new(), String::new(), Lang::Vi);
        for (key, value) in url::form_urlencoded::parse(form) {
            match &*key {
                "name" => name = value.into_owned(),
                "password" => password = value.into_owned(),
                "lang" if value == "en" => lang = Lang::En,
                _ => {}
            }
        }
        Self { name, password: Secret::new(password), lang }
    }
}

fn page(lang: Lang, refused: Option<Refusal>) -> Html<String> {
    let page = fill(include_str!("login.html"), lang);
    // The program's own words and a number.
    let said = refused.map(|refused| {
        let words = lang.of(refusal(refused));
        let words = match refused {
            Refusal::Wait(wait) => words.replace("{s}", &seconds(wait).to_string()),
            Refusal::Wrong | Refusal::Busy => words.to_owned(),
        };
        format!("<p id=\"refused\" class=\"banner\" role=\"alert\">{words}</p>")
    });
    Html(page.replace("<!--refused-->", &said.unwrap_or_default()))
}

/// Whole seconds, at least one.
fn seconds(wait: std::time::Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_sessions_cookie_is_found_among_others() {
        let of = |cookies: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(header::COOKIE, HeaderValue::from_static(cookie));
            }
            session_in(&headers)
        };
        assert_eq!(of(&["a=1; __Host-ngatu=0f; b=2"]).as_deref(), Some("0f"));
        assert_eq!(of(&["a=1", "__Host-ngatu=0f"]).as_deref(), Some("0f"));
        assert_eq!(of(&["ngatu=0f; x__Host-ngatu=1f"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_was_typed_is_read_as_it_was_meant_and_not_shown_again() {
        let form = Form::read("name=%3Cb%3Ean&password=M%E1%BA%ADt+kh%E1%BA%A9u%26&lang=en&x=1".as_bytes());
        assert_eq!((form.name.as_str(), form.password.expose()), ("<b>an", "Mật khẩu&"));
        assert!(form.lang == Lang::En && Form::read(b"\xff\x00").name.is_empty());
        let Html(page) = page(Lang::Vi, Some(Refusal::Wait(std::time::Duration::from_millis(3100))));
        assert!(page.contains(" 4 giây") && !page.contains("{s}") && !page.contains("<!--"));
    }
}

//! The paths, what each asks of whoever wants it, and what it answers.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::guard::Guard;
use super::metrics::Metrics;
use super::picture::Pictures;
use super::sources::Sources;
use super::{accounts, guard, log_in, status};
use crate::access::{Access, Identity, Peer, Reading, Right};
use crate::publish::wire;
use crate::status::dead_reasons;
use crate::text::Lang;
use crate::text::page::fill;
use crate::text::state::reason;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// What handlers share.
pub(super) struct Page {
    pub(super) sources: Arc<Sources>,
    pictures: Pictures,
    metrics: Metrics,
    vietnamese: String,
    english: String,
}

pub(super) type Shared = State<Arc<Page>>;

/// What a path asks of whoever wants it. On loopback, where there is no log-in, nothing of it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it tells nothing of this box.
    Nothing,
    /// A log-in or certificate, of a role that may see this.
    Right(Right),
}

/// A path with what it needs, which cannot be left out.
pub(super) type Route = (&'static str, Needs, MethodRouter<Arc<Page>>);

/// The paths that are there on loopback too.
pub(super) fn everywhere() -> Vec<Route> {
    let public = Needs::Nothing;
    let [status, pictures] = [Right::Status, Right::Pictures].map(Needs::Right);
    let [incidents, diagnostics] = [Right::Incidents, Right::Diagnostics].map(Needs::Right);
    vec![
        ("/", status, get(index)),
        ("/page.css", public, get(|| file(CSS, include_str!("page.css")))),
        ("/page.js", public, get(|| file(JAVASCRIPT, include_str!("page.js")))),
        ("/icon.svg", public, get(|| file("image/svg+xml", include_str!("icon.svg")))),
        ("/api/v1/status", status, get(box_status)),
        ("/api/v1/camera/{id}/picture.jpg", pictures, get(camera_picture)),
        ("/api/v1/incident/{incident}/{name}", incidents, get(incident_picture)),
        ("/healthz", status, get(healthz)),
        ("/metrics", diagnostics, get(metrics)),
    ]
}

/// The paths that are there only where there is a log-in.
pub(super) fn behind_log_in() -> Vec<Route> {
    vec![
        ("/login", Needs::Nothing, get(log_in::form).post(log_in::log_in)),
        ("/logout", Needs::Nothing, post(log_in::log_out)),
        ("/api/v1/configuration", Needs::Right(Right::Diagnostics), get(configuration)),
        ("/api/v1/accounts", Needs::Right(Right::Accounts), get(accounts::accounts)),
    ]
}

fn shared(sources: Arc<Sources>) -> Arc<Page> {
    let template = include_str!("page.html");
    Arc::new(Page {
        pictures: Pictures::new(sources.cameras.len()),
        metrics: Metrics::new(Arc::clone(&sources)),
        sources,
        vietnamese: fill(template, Lang::Vi),
        english: fill(template, Lang::En),
    })
}

/// The page on loopback: every path for everybody.
pub(super) fn on_loopback(sources: Arc<Sources>) -> Router {
    let routes = everywhere().into_iter();
    let router = routes.fold(Router::new(), |router, (path, _, handler)| router.route(path, handler));
    finished(router.layer(Extension(None::<Identity>)), shared(sources), Guard::Loopback)
}

/// The page for other machines: each path for those who may.
pub(super) fn behind(access: Arc<Access>, names: &[String], sources: Arc<Sources>) -> Router {
    let routes = everywhere().into_iter().chain(behind_log_in());
    let router = routes.fold(Router::new(), |router, (path, needs, handler)| {
        let door = Door { access: Arc::clone(&access), needs };
        router.route(path, handler.layer(middleware::from_fn_with_state(door, door_of)))
    });
    finished(router.layer(Extension(access)), shared(sources), Guard::Names(names.into()))
}

fn finished(router: Router<Arc<Page>>, page: Arc<Page>, guard: Guard) -> Router {
    router
        .fallback(async || (StatusCode::NOT_FOUND, "There is nothing here.\n"))
        .layer(middleware::from_fn_with_state(guard, guard::guard))
        .with_state(page)
}

/// A path's own door.
#[derive(Clone)]
struct Door {
    access: Arc<Access>,
    needs: Needs,
}

/// Lets those in who may, and tells the handler who it is.
async fn door_of(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = log_in::session_in(request.headers());
    let identity = door.access.identify(&peer, session.as_deref(), Instant::now()).await;
    let may = match (door.needs, &identity) {
        (Needs::Nothing, _) => true,
        (Needs::Right(right), Some(identity)) => identity.role.may(right),
        (Needs::Right(_), None) => {
            return if request.uri().path() == "/" && door.access.has_passwords() {
                Redirect::to(log_in::path(Asked::of(&request).lang())).into_response()
            } else {
                let scheme = [(header::WWW_AUTHENTICATE, "Cookie realm=\"ngatu\", form-action=\"/login\"")];
                (StatusCode::UNAUTHORIZED, scheme, "Log in at /login, or show a certificate.\n").into_response()
            };
        }
    };
    if !may {
        return (StatusCode::FORBIDDEN, "Your role does not include this.\n").into_response();
    }
    request.extensions_mut().insert(identity);
    next.run(request).await
}

/// What the page's address may say.
#[derive(Deserialize, Default)]
pub(super) struct Asked {
    lang: Option<String>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Query::try_from_uri(request.uri()).map(|Query(asked)| asked).unwrap_or_default()
    }

    /// Any other word is somebody's typing error: Vietnamese is the default.
    pub(super) fn lang(&self) -> Lang {
        if self.lang.as_deref() == Some("en") { Lang::En } else { Lang::Vi }
    }
}

async fn index(State(page): Shared, Query(asked): Query<Asked>) -> Html<String> {
    let html = match asked.lang() {
        Lang::Vi => &page.vietnamese,
        Lang::En => &page.english,
    };
    Html(html.clone())
}

async fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], content)
}

async fn box_status(State(page): Shared, Extension(identity): Extension<Option<Identity>>) -> Response {
    let json = [(header::CONTENT_TYPE, wire::STATE_CONTENT_TYPE)];
    // In the first moments of the program: the first look comes at once.
    let _ = page.sources.snapshot.clone().wait_for(Option::is_some).await;
    let written = spawn_blocking(move || {
        let status = status::box_status(&page.sources)?;
        Some(wire::to_bytes(&status::seen_by(status, identity.as_ref())))
    });
    match written.await {
        Ok(Some(status)) => (json, status).into_response(),
        Ok(None) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
    }
}

async fn camera_picture(State(page): Shared, Path(id): Path<String>) -> Response {
    let index = page.sources.cameras.iter().position(|camera| camera.label.id == id);
    let picture = match index {
        Some(index) => page.pictures.latest(index, &page.sources.cameras[index], Instant::now()).await,
        None => None,
    };
    jpeg(picture)
}

/// A picture as it lies on the disk; clips are not given out.
async fn incident_picture(State(page): Shared, Path((incident, name)): Path<(String, String)>) -> Response {
    let read = move || {
        let file = page.sources.evidence.picture(incident.parse().ok()?, &name)?;
        // It may have been too old a moment ago.
        std::fs::read(file).ok()
    };
    jpeg(spawn_blocking(read).await.ok().flatten().map(Into::into))
}

fn jpeg(picture: Option<Bytes>) -> Response {
    match picture {
        Some(jpeg) => ([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        None => (StatusCode::NOT_FOUND, "There is no picture.\n").into_response(),
    }
}

/// One reason a line; `ok` first while the box does what it is for, however degraded.
async fn healthz(State(page): Shared) -> (StatusCode, String) {
    let snapshot = page.sources.snapshot();
    let dead = dead_reasons(snapshot.as_deref(), Instant::now());
    let line = |word: &str, code: &str| format!("{word}: {code}: {}\n", reason(code).en);
    if dead.is_empty() {
        let degraded = snapshot.iter().flat_map(|snapshot| &snapshot.health.reasons);
        let degraded: String = degraded.map(|code| line("degraded", code)).collect();
        (StatusCode::OK, format!("ok\n{degraded}"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, dead.iter().map(|code| line("failing", code)).collect())
    }
}

async fn metrics(State(page): Shared) -> Response {
    match page.metrics.text() {
        Some(text) => ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
    }
}

/// The site file as it was loaded, without comments and without secrets.
async fn configuration(
    State(page): Shared,
    Extension(access): Extension<Arc<Access>>,
    Extension(identity): Extension<Option<Identity>>,
    Extension(peer): Extension<Peer>,
) -> impl IntoResponse {
    if let Some(identity) = identity {
        access.told_of_reading(&identity, peer.address, Reading::Configuration).await;
    }
    ([(header::CONTENT_TYPE, TEXT)], page.sources.written.text().to_owned())
}

//! The paths and what they answer.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::metrics::Metrics;
use super::picture::Pictures;
use super::sources::Sources;
use super::{guard, status};
use crate::publish::wire;
use crate::status::dead_reasons;
use crate::text::Lang;
use crate::text::page::fill;
use crate::text::state::reason;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// What handlers share.
struct Page {
    sources: Arc<Sources>,
    pictures: Pictures,
    metrics: Metrics,
    vietnamese: String,
    english: String,
}

type Shared = State<Arc<Page>>;

/// Every path, behind the guard.
pub(super) fn router(sources: Arc<Sources>) -> Router {
    let template = include_str!("page.html");
    let page = Page {
        pictures: Pictures::new(sources.cameras.len()),
        metrics: Metrics::new(Arc::clone(&sources)),
        sources,
        vietnamese: fill(template, Lang::Vi),
        english: fill(template, Lang::En),
    };
    Router::new()
        .route("/", get(index))
        .route("/page.css", get(|| file(CSS, include_str!("page.css"))))
        .route("/page.js", get(|| file(JAVASCRIPT, include_str!("page.js"))))
        .route("/icon.svg", get(|| file("image/svg+xml", include_str!("icon.svg"))))
        .route("/api/v1/status", get(box_status))
        .route("/api/v1/camera/{id}/picture.jpg", get(camera_picture))
        .route("/api/v1/incident/{incident}/{name}", get(incident_picture))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "There is nothing here.\n"))
        .layer(middleware::from_fn(guard::guard))
        .with_state(Arc::new(page))
}

/// What the page's address may say.
#[derive(Deserialize)]
struct Asked {
    lang: Option<String>,
}

async fn index(State(page): Shared, Query(asked): Query<Asked>) -> Html<String> {
    // Any other word is somebody's typing error: Vietnamese is the default.
    let english = asked.lang.as_deref() == Some("en");
    Html(if english { &page.english } else { &page.vietnamese }.clone())
}

async fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], content)
}

async fn box_status(State(page): Shared) -> Response {
    let json = [(header::CONTENT_TYPE, wire::STATE_CONTENT_TYPE)];
    // In the first moments of the program: the first look comes at once.
    let _ = page.sources.snapshot.clone().wait_for(Option::is_some).await;
    let written = spawn_blocking(move || status::box_status(&page.sources).map(|status| wire::to_bytes(&status)));
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

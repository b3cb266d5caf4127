//! The status page of the box, on loopback: what a person at the cabinet (or over an SSH tunnel) sees of it, its API
//! and its metrics.
//!
//! | path | answers |
//! |---|---|
//! | `/` | the page, in Vietnamese, or English with `?lang=en` |
//! | `/api/v1/status` | [`BoxStatus`], all that the page shows; schema `api_status` |
//! | `/api/v1/camera/{id}/picture.jpg` | the camera's latest analysed picture, with what was seen drawn in |
//! | `/api/v1/incident/{incident}/{name}` | a picture of an incident, while it is kept |
//! | `/healthz` | 200 `ok` while the box does what it is for, 503 and why when it does not |
//! | `/metrics` | OpenMetrics; the names are in `docs/metrics.md` |
//!
//! # Invariants
//! - It only reads what the stages leave behind ([`Sources`]): no stage waits for it, and a page that nobody looks at
//!   costs nothing.
//! - There is no log-in, so it is for those who are on the box already: it listens on loopback only, answers only
//!   requests that name loopback as their host (a web page of someone else's cannot reach it by a name of its own, DNS
//!   rebinding), takes no request with a body and changes nothing.
//! - Everything is bounded: connections, their life, a request's head and time, the rate at which pictures are made.
//!
//! # Failure
//! A port that is taken is logged, told in health and tried again; the service runs on.
//!
//! # Ownership
//! One task ([`PageTask::run`]), with one more for each connection, at most [`CONNECTIONS`](server::CONNECTIONS).

mod guard;
mod metrics;
mod picture;
mod routes;
mod server;
mod sources;
mod status;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use sources::{PageCamera, Sources};
pub use status::{
    BoxStatus, BrokerStatus, CameraCard, IncidentCard, LatencyMs, OutboxStatus, PictureRef, Reason, RecentPicture,
};

/// Between two tries of a port that is taken.
const BIND_RETRY: Duration = Duration::from_secs(10);

/// How the page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageState {
    /// Switched off in the site file.
    Off,
    /// Not tried yet.
    Starting,
    /// It answers here.
    Listening(SocketAddr),
    /// It cannot be opened, and is tried again.
    Unavailable {
        /// In the system's words.
        reason: String,
    },
}

/// The page's task, before it runs.
pub struct PageTask {
    /// Where it listens; port 0: any.
    pub listen: SocketAddr,
    /// What it shows.
    pub sources: Sources,
    /// Told how the page is.
    pub state: watch::Sender<PageState>,
}

impl PageTask {
    /// Serves until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let router = routes::router(Arc::new(self.sources));
        let Some(listener) = bind(self.listen, &self.state, &stop).await else { return };
        if let Ok(address) = listener.local_addr() {
            tracing::info!(url = %format_args!("http://{address}/"), "status page");
            self.state.send_replace(PageState::Listening(address));
        }
        server::serve(listener, router, &stop).await;
    }
}

/// Binds, however long the port is taken; `None` when it is to stop.
async fn bind(address: SocketAddr, state: &watch::Sender<PageState>, stop: &CancellationToken) -> Option<TcpListener> {
    loop {
        let error = match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(error) => error,
        };
        let unavailable = PageState::Unavailable { reason: error.to_string() };
        if state.send_replace(unavailable.clone()) != unavailable {
            tracing::error!(
                %address, %error,
                "the status page cannot be opened; trying again (another program has the port? change status.listen)"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(BIND_RETRY) => {}
        }
    }
}

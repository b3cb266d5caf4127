//! The status page of the box: what a person at the cabinet, or over an SSH tunnel, sees of it, its API and its metrics; and
//! for other machines the same over TLS, to those who log in or show a certificate.
//!
//! | path | answers | needs, beyond loopback |
//! |---|---|---|
//! | `/` | the page, in Vietnamese, or English with `?lang=en` | status |
//! | `/api/v1/status` | [`BoxStatus`], all that the page shows; schema `api_status` | status |
//! | `/api/v1/camera/{id}/picture.jpg` | the camera's latest analysed picture, with what was seen drawn in | pictures |
//! | `/api/v1/incident/{incident}/{name}` | a picture of an incident, while it is kept | incidents |
//! | `/healthz` | 200 `ok` while the box does what it is for, 503 and why when it does not | status |
//! | `/metrics` | OpenMetrics; the names are in `docs/metrics.md` | diagnostics |
//! | `/api/v1/configuration` | the site file as it was loaded; beyond loopback only | diagnostics |
//! | `/api/v1/accounts` | accounts and sessions; beyond loopback only | accounts |
//! | `/login`, `/logout` | the way in and out; beyond loopback only | nothing |
//!
//! # Invariants
//! - It only reads what the stages leave behind ([`Sources`]): no stage waits for it, and a page that nobody looks at
//!   costs nothing.
//! - Without TLS and log-in it listens on loopback only, and answers only requests that name loopback as their host (a web
//!   page of someone else's cannot reach it by a name of its own, DNS rebinding).
//! - With them (`[status.remote]`) every path says what it needs ([`routes`]), names are those of the site file, and who
//!   asks is `crate::access`'s to say.
//! - It changes nothing of the box. A request with a body is refused, but for the forms to log in and out, and these
//!   only from the page itself.
//! - Everything is bounded: connections, handshakes, their life, a request's head and time, the rate at which pictures are
//!   made.
//!
//! # Failure
//! A port that is taken, or a certificate that cannot be used, is logged, told in health and tried again; the service runs
//! on. Files that are replaced by worse ones are not used: the page goes on with what it has, and says so.
//!
//! # Ownership
//! One task ([`PageTask::run`]), with one more for each connection, at most [`CONNECTIONS`](server::CONNECTIONS).

mod accounts;
mod guard;
mod log_in;
mod metrics;
mod picture;
mod routes;
mod server;
mod sources;
mod status;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::tls::PageTls;
use crate::access::{Access, Accounts, AccountsError, FileStamp, Journal};
use crate::audit::AuditLog;
use crate::config::Remote;
use crate::publish::TlsError;

pub use sources::{PageCamera, Sources};
pub use status::{
    BoxStatus, BrokerStatus, CameraCard, IncidentCard, LatencyMs, OutboxStatus, PictureRef, Reason, RecentPicture,
    Viewer,
};

/// Between two tries of a port that is taken.
const BIND_RETRY: Duration = Duration::from_secs(10);
/// Between two looks at whether accounts or certificates have changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

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

/// What the page for other machines cannot do without, and cannot use.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Its certificate, key or authority.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its accounts.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

/// Proves that certificate, key and accounts can be used; how many accounts there are. Blocks on the disk.
///
/// # Errors
/// [`RemoteError`], with file and cure.
pub fn try_remote(remote: &Remote) -> Result<usize, RemoteError> {
    PageTls::new(remote).load()?;
    let accounts = remote.accounts.as_deref().map(Accounts::read).transpose()?;
    Ok(accounts.map_or(0, |accounts| accounts.iter().count()))
}

/// The page's task, before it runs.
pub struct PageTask {
    /// Where it listens; port 0: any.
    pub listen: SocketAddr,
    /// TLS and who may come in; `None` on loopback.
    pub remote: Option<Remote>,
    /// Told who comes in.
    pub audit: Option<AuditLog>,
    /// What it shows.
    pub sources: Sources,
    /// Told how the page is.
    pub state: watch::Sender<PageState>,
}

impl PageTask {
    /// Serves until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        match self.remote.clone() {
            None => self.on_loopback(&stop).await,
            Some(remote) => self.behind_log_in(remote, &stop).await,
        }
    }

    async fn on_loopback(self, stop: &CancellationToken) {
        let router = routes::on_loopback(Arc::new(self.sources));
        let Some(listener) = bind(self.listen, &self.state, stop).await else { return };
        tell(&listener, &self.state, |address| format!("http://{address}/"));
        server::serve(listener, None, router, stop).await;
    }

    async fn behind_log_in(self, remote: Remote, stop: &CancellationToken) {
        let tls = PageTls::new(&remote);
        let stamp = tls.stamp();
        let Some(config) = certificate(&tls, &self.state, stop).await else { return };
        let journal = self.audit.clone().map_or_else(Journal::default, Journal::to);
        let access = Arc::new(Access::new(remote.accounts.clone(), remote.roles.clone(), journal));
        access.refresh().await;
        let router = routes::behind(Arc::clone(&access), &remote.names, Arc::new(self.sources));
        let Some(listener) = bind(self.listen, &self.state, stop).await else { return };
        let name = remote.names.first().cloned().unwrap_or_default();
        tell(&listener, &self.state, |address| format!("https://{name}:{}/", address.port()));
        let (fresh, config) = watch::channel(config);
        tokio::select! {
            () = server::serve(listener, Some(config), router, stop) => {}
            () = keep_fresh(&tls, stamp, &fresh, &access) => {}
        }
    }
}

/// Says where it listens.
fn tell(listener: &TcpListener, state: &watch::Sender<PageState>, url: impl Fn(SocketAddr) -> String) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(url = %url(address), "status page");
        state.send_replace(PageState::Listening(address));
    }
}

/// Uses accounts and certificates that are others than before; never ends.
async fn keep_fresh(
    tls: &PageTls,
    mut stamp: [Option<FileStamp>; 2],
    config: &watch::Sender<Arc<ServerConfig>>,
    access: &Access,
) {
    let mut said = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        access.refresh().await;
        let (files, known) = (tls.clone(), stamp.clone());
        let read = spawn_blocking(move || {
            let stamp = files.stamp();
            (stamp != known).then(|| (stamp, files.load()))
        });
        match read.await {
            Ok(Some((changed, Ok(loaded)))) => {
                stamp = changed;
                said = None;
                config.send_replace(loaded);
                tracing::info!("status page: new certificate");
            }
            // A certificate and its key are not replaced at one instant: it is tried again.
            Ok(Some((_, Err(error)))) => {
                let error = error.to_string();
                if said.as_ref() != Some(&error) {
                    tracing::error!("status page: the certificate before stays in use: {error}");
                    said = Some(error);
                }
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// TLS of the page, however long its files cannot be used; `None` when it is to stop.
async fn certificate(
    tls: &PageTls,
    state: &watch::Sender<PageState>,
    stop: &CancellationToken,
) -> Option<Arc<ServerConfig>> {
    loop {
        let files = tls.clone();
        let error = match spawn_blocking(move || files.load()).await {
            Ok(Ok(config)) => return Some(config),
            Ok(Err(error)) => error.to_string(),
            Err(_) => return None,
        };
        let unavailable = PageState::Unavailable { reason: error.clone() };
        if state.send_replace(unavailable.clone()) != unavailable {
            tracing::error!("the status page cannot be opened; trying again: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(BIND_RETRY) => {}
        }
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

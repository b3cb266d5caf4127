//! Connections: how many, how long, how large.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at once; a browser opens six. Further ones wait to be accepted.
pub(super) const CONNECTIONS: usize = 32;
/// A request's head must have come within this time; an idle connection is closed after it.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// Bytes and lines of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
const HEAD_LINES: usize = 64;
/// A connection is closed after this time, whatever it does: clients make another.
const LIFE: Duration = Duration::from_secs(120);
/// What is being answered may take so long once its connection is to end.
const GOODBYE: Duration = Duration::from_secs(1);
/// After a connection could not be accepted (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop`; every connection is over when this returns.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Those that are over.
                    while connections.try_join_next().is_some() {}
                    connections.spawn(connection(stream, router.clone(), stop.clone(), place));
                }
                Err(error) => {
                    tracing::debug!(%error, "status page: connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accepting => {}
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken, _place: OwnedSemaphorePermit) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES).max_headers(HEAD_LINES);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(LIFE) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(GOODBYE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "status page: connection ended");
    }
}

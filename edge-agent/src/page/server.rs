//! Connections: how many, how long, how large, and TLS where the page is for other machines.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::server::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::tls;
use crate::access::{Neighbourhood, Peer};
use crate::resources::descriptors;

/// Connections at once; a browser opens six. Further ones wait to be accepted.
pub(super) const CONNECTIONS: usize = 32;
/// Over TLS, of one neighbourhood; further ones are closed. Two people behind one address fit in.
const OF_ONE: usize = 16;
/// A TLS handshake must be done within this time.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// No TLS handshake begins sooner after another: however many come, they take a small share of a core (a signature each)
/// from those who analyse.
const HANDSHAKE_EVERY: Duration = Duration::from_millis(20);
/// A request's head must have come within this time; an idle connection is closed after it.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// Bytes and lines of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
const HEAD_LINES: usize = 64;
/// A connection is closed after this time, whatever it does: clients make another.
const LIFE: Duration = Duration::from_secs(120);
/// After so many refusals a connection is closed: who asks on has to shake hands anew, which is slow. More would serve no
/// browser: each of its questions is refused for a reason that stays.
pub(super) const REFUSALS: u32 = 8;
/// What is being answered may take so long once its connection is to end.
const GOODBYE: Duration = Duration::from_secs(1);
/// After a connection could not be accepted (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What connections speak: HTTP as it is, or within TLS by the latest configuration.
pub(super) type Transport = Option<watch::Receiver<Arc<ServerConfig>>>;

/// Serves until `stop`; every connection is over when this returns.
pub(super) async fn serve(listener: TcpListener, transport: Transport, router: Router, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let crowd = Arc::new(Crowd::default());
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
            // The last ones are for cameras and broker.
            while !descriptors::has_room(1) {
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            let (stream, address) = match listener.accept().await {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    tracing::debug!(%error, "status page: connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Those that are over.
            while connections.try_join_next().is_some() {}
            let Some(tls) = &transport else {
                let peer = Peer { address, certificate: None };
                connections.spawn(connection(stream, peer, router.clone(), stop.clone(), place));
                continue;
            };
            let Some(seat) = crowd.enter(address) else { continue };
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(async move {
                secured(stream, address, acceptor, router, stop, place).await;
                drop(seat);
            });
            tokio::time::sleep(HANDSHAKE_EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accepting => {}
    }
    while connections.join_next().await.is_some() {}
}

/// A connection within TLS.
async fn secured(
    stream: TcpStream,
    address: IpAddr,
    acceptor: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)) => shaken,
        () = stop.cancelled() => return,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "status page: no TLS");
            return;
        }
        Err(_) => return,
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(|chain| tls::name_in(chain.first()?));
    connection(stream, Peer { address, certificate }, router, stop, place).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES).max_headers(HEAD_LINES);
    let router = TowerToHyperService::new(router);
    let refusals = Arc::new(AtomicU32::new(0));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let (answer, refusals) = (router.call(request), Arc::clone(&refusals));
        async move {
            let mut answer = answer.await?;
            if is_refusal(answer.status()) && refusals.fetch_add(1, Ordering::Relaxed) + 1 >= REFUSALS {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
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

/// Whether somebody asked for what is not theirs, or too often.
fn is_refusal(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
    )
}

/// Connections by neighbourhood.
#[derive(Default)]
struct Crowd(Mutex<HashMap<Neighbourhood, usize>>);

impl Crowd {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let from = Neighbourhood::from(address);
        let mut crowd = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = crowd.entry(from).or_default();
        if *here >= OF_ONE {
            return None;
        }
        *here += 1;
        Some(Seat { crowd: Arc::clone(self), from })
    }
}

/// One of the crowd; free when dropped.
struct Seat {
    crowd: Arc<Crowd>,
    from: Neighbourhood,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut crowd = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = crowd.get_mut(&self.from) {
            *here -= 1;
            if *here == 0 {
                crowd.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_neighbour_takes_half_the_places_at_most_and_gives_them_back() {
        let crowd = Arc::new(Crowd::default());
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut seats: Vec<Seat> = std::iter::repeat_with(|| crowd.enter(one)).map_while(|seat| seat).collect();
        assert_eq!(seats.len(), OF_ONE);
        assert!(OF_ONE < CONNECTIONS && crowd.enter(other).is_some());
        seats.pop();
        assert!(crowd.enter(one).is_some());
        seats.clear();
        assert!(crowd.0.lock().expect("whole").is_empty());
    }
}

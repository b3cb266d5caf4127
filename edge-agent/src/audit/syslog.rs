//! Lines to a security centre: RFC 5424 over TLS (RFC 5425).
//!
//! # Failure
//! Unreachable or not trusted: tried again with growing pauses; lines wait in the log, where the cursor says how far they
//! went. Syslog has no acknowledgement: a line counts as arrived once the connection that took it has lived on for
//! [`SyslogParams::settle`], so what a break swallows is sent again, and a line may come twice; its number tells.
//!
//! # Ownership
//! One task owns the connection and the cursor.

use std::time::Duration;

use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::tokio_rustls::rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cursor::Cursor;
use super::log::AuditLog;
use super::read::{Kept, lines};
use super::rfc5424::framed;
use crate::publish::TlsParams;

/// Lines that are read and sent at once.
const BATCH: usize = 64;
/// What may take no longer: a connection, a batch.
const WITHIN: Duration = Duration::from_secs(20);

/// Where to.
#[derive(Debug, Clone)]
pub struct SyslogParams {
    /// The collector's host name, which its certificate must bear.
    pub host: String,
    /// Its port; 6514 by the standard.
    pub port: u16,
    /// Whom to trust, and who this box is.
    pub tls: TlsParams,
    /// How long a connection must live on for what it took to count as arrived. A longer time costs doubles after a break.
    pub settle: Duration,
    /// The shortest and the longest pause after a failure.
    pub pauses: [Duration; 2],
}

impl SyslogParams {
    /// With the usual times.
    #[must_use]
    pub fn new(host: String, port: u16, tls: TlsParams) -> Self {
        let pauses = [Duration::from_secs(2), Duration::from_secs(300)];
        Self { host, port, tls, settle: Duration::from_secs(5), pauses }
    }
}

/// How the export is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyslogStatus {
    /// The last line that arrived.
    pub arrived: u64,
    /// Why the collector is not reached; `None` when it is.
    pub failing: Option<String>,
}

/// The export, before it runs.
#[derive(Debug)]
pub struct SyslogTask {
    log: AuditLog,
    params: SyslogParams,
    status: watch::Sender<SyslogStatus>,
}

impl SyslogTask {
    /// Sends the lines of `log`.
    #[must_use]
    pub fn new(log: AuditLog, params: SyslogParams) -> (Self, watch::Receiver<SyslogStatus>) {
        let (status, watcher) = watch::channel(SyslogStatus::default());
        (Self { log, params, status }, watcher)
    }

    /// Sends until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = self.params.pauses[0];
        while !stop.is_cancelled() {
            let before = self.status.borrow().arrived;
            let failed = tokio::select! {
                () = stop.cancelled() => return,
                failed = self.run_once() => failed,
            };
            if self.status.borrow().arrived > before {
                pause = self.params.pauses[0];
            }
            if self.status.borrow().failing.as_ref() != Some(&failed) {
                tracing::warn!(reason = failed, "audit lines do not reach the syslog collector; they wait");
            }
            self.status.send_modify(|status| status.failing = Some(failed));
            // Jitter: a province's boxes must not return at the same instant.
            let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
            pause = (pause * 2).min(self.params.pauses[1]);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(jittered) => {}
            }
        }
    }

    /// One connection; returns why it ended.
    async fn run_once(&self) -> String {
        match self.send_all().await {
            Ok(never) => match never {},
            Err(error) => crate::secret::redact(&error.to_string()),
        }
    }

    async fn send_all(&self) -> Result<std::convert::Infallible, std::io::Error> {
        let SyslogParams { host, port, tls, settle, .. } = self.params.clone();
        let (config, mut cursor) = {
            let folder = self.log.folder().to_owned();
            let opened = tokio::task::spawn_blocking(move || (tls.load(), Cursor::open(&folder, "syslog"))).await;
            let (config, cursor) = opened.map_err(std::io::Error::other)?;
            (config.map_err(std::io::Error::other)?.config(), cursor)
        };
        let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
        let connect = async {
            let tcp = TcpStream::connect((host.as_str(), port)).await?;
            TlsConnector::from(config).connect(name, tcp).await
        };
        let (mut from, mut to) = tokio::io::split(tokio::time::timeout(WITHIN, connect).await??);
        let mut head = self.log.status();
        let mut byte = [0; 64];
        loop {
            head.borrow_and_update();
            let batch = self.batch(cursor.arrived() + 1).await?;
            let Some(last) = batch.last().map(|kept| kept.line.number) else {
                // Reached, and nothing to say: only the connection's end or another line is news.
                self.status.send_modify(|status| status.failing = None);
                tokio::select! {
                    read = from.read(&mut byte) => ended(read)?,
                    changed = head.changed() => changed.map_err(std::io::Error::other)?,
                }
                continue;
            };
            let bytes: Vec<u8> = batch.iter().flat_map(framed).collect();
            let sent = async {
                to.write_all(&bytes).await?;
                to.flush().await
            };
            tokio::time::timeout(WITHIN, sent).await??;
            tokio::select! {
                read = from.read(&mut byte) => ended(read)?,
                () = tokio::time::sleep(settle) => {}
            }
            cursor.advance(last);
            let kept = tokio::task::spawn_blocking(move || {
                let kept = cursor.keep();
                (cursor, kept)
            });
            let (back, kept) = kept.await.map_err(std::io::Error::other)?;
            cursor = back;
            if let Err(error) = kept {
                tracing::debug!(%error, "the cursor of the syslog export is not kept");
            }
            self.status.send_modify(|status| *status = SyslogStatus { arrived: last, failing: None });
        }
    }

    async fn batch(&self, from: u64) -> std::io::Result<Vec<Kept>> {
        let folder = self.log.folder().to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let mut batch = Vec::new();
            lines::<std::io::Error>(&folder, from, |kept| {
                batch.push(kept);
                Ok(batch.len() < BATCH)
            })
            .map(|()| batch)
        });
        read.await.map_err(std::io::Error::other)?
    }
}

/// A collector says nothing: what is read is noise, or the end.
fn ended(read: std::io::Result<usize>) -> std::io::Result<()> {
    match read? {
        0 => Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the collector closed the connection")),
        _ => Ok(()),
    }
}

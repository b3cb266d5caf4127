//! Lines to a collector that speaks real TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rumqttc::tokio_rustls::TlsAcceptor;
use rumqttc::tokio_rustls::rustls::ServerConfig;
use rumqttc::tokio_rustls::rustls::crypto::ring;
use rumqttc::tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::tests::{entry, topics};
use super::*;
use crate::publish::TlsParams;

/// A collector whose certificate bears `name`; what it is told, frame by frame, with the number of the connection. The
/// first connections end after so many bytes.
async fn collector(folder: &Path, name: &str, cuts: Vec<usize>) -> (SyslogParams, mpsc::Receiver<(usize, String)>) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs itself");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new([name.to_owned()]).expect("a name");
    let certificate = certificate.signed_by(&key, &authority).expect("signs");
    let ca = folder.join("soc-ca.pem");
    std::fs::write(&ca, authority.pem()).expect("writes");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (told, heard) = mpsc::channel(1000);
    tokio::spawn(async move {
        for connection in 0.. {
            let Ok((tcp, _)) = listener.accept().await else { return };
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            let cut = cuts.get(connection).copied().unwrap_or(usize::MAX);
            let (mut held, mut part) = (Vec::new(), [0; 1000]);
            while held.len() < cut {
                let Ok(read @ 1..) = stream.read(&mut part).await else { break };
                held.extend_from_slice(&part[..read]);
            }
            for frame in frames(&held[..held.len().min(cut)]) {
                told.send((connection, frame)).await.expect("heard");
            }
            if cut == usize::MAX {
                return;
            }
        }
    });
    let params = SyslogParams {
        settle: Duration::from_secs(1),
        pauses: [Duration::from_millis(5), Duration::from_millis(20)],
        ..SyslogParams::new("localhost".into(), port, TlsParams { ca, client: None })
    };
    (params, heard)
}

/// Whole frames: a length, a blank, so many bytes (RFC 5425, section 4.3).
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(blank) = bytes.iter().position(|&byte| byte == b' ') {
        let length: usize = std::str::from_utf8(&bytes[..blank]).expect("digits").parse().expect("a length");
        let Some(message) = bytes.get(blank + 1..blank + 1 + length) else { break };
        all.push(String::from_utf8(message.to_vec()).expect("UTF-8"));
        bytes = &bytes[blank + 1 + length..];
    }
    all
}

fn number(message: &str) -> u64 {
    let (header, line) = message.split_once('\u{feff}').expect("a byte order mark");
    assert!(header.starts_with("<110>1 "), "{header}");
    AuditLine::proved(line.as_bytes()).expect("a line as it was written").number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_arrives_over_connections_that_break_and_a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = AuditLog::at(folder.path(), &topics(), None);
    (1..=40).for_each(|number| assert_eq!(log.append(entry(number)), Ok(number)));
    // In the midst of a line, and after some.
    let (params, mut heard) = collector(folder.path(), "localhost", vec![700, 9000]).await;
    let (task, mut status) = SyslogTask::new(log.clone(), params.clone());
    let stop = CancellationToken::new();
    let task = tokio::spawn(task.run(stop.clone()));
    status.wait_for(|status| status.arrived == 40).await.expect("arrives");
    assert_eq!(log.record(entry(41)).await, Ok(41));
    status.wait_for(|status| status.arrived == 41).await.expect("arrives, once it is there");
    assert_eq!(status.borrow().failing, None);
    stop.cancel();
    task.await.expect("no panic");
    let (mut numbers, mut connections) = (Vec::new(), 0);
    while let Some((connection, message)) = heard.recv().await {
        numbers.push(number(&message));
        connections = connection;
    }
    assert_eq!(connections, 2);
    assert!(numbers.len() > 41, "what a break swallowed came again");
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.into_iter().eq(1..=41));

    // Another run, another collector: only what is new.
    let (params, mut heard) = collector(folder.path(), "localhost", vec![]).await;
    assert_eq!(log.record(entry(42)).await, Ok(42));
    let (task, mut status) = SyslogTask::new(log, params);
    let stop = CancellationToken::new();
    let task = tokio::spawn(task.run(stop.clone()));
    status.wait_for(|status| status.arrived == 42).await.expect("arrives");
    stop.cancel();
    task.await.expect("no panic");
    assert_eq!(heard.recv().await.map(|(_, message)| number(&message)), Some(42));
    assert!(heard.recv().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_under_another_name_is_told_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = AuditLog::at(folder.path(), &topics(), None);
    assert_eq!(log.append(entry(1)), Ok(1));
    let (params, mut heard) = collector(folder.path(), "another.example", vec![]).await;
    let (task, mut status) = SyslogTask::new(log, params);
    let stop = CancellationToken::new();
    let task = tokio::spawn(task.run(stop.clone()));
    let failing = status.wait_for(|status| status.failing.is_some()).await.expect("fails").failing.clone();
    assert!(failing.as_deref().is_some_and(|why| why.contains("certificate")), "{failing:?}");
    stop.cancel();
    task.await.expect("no panic");
    assert!(heard.try_recv().is_err());
}

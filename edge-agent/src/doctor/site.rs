//! A site: its broker and cameras, reached as the service would reach them.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use analytics::CameraId;
use tokio::task::JoinSet;

use super::{Check, Verdict, certificates};
use crate::config::{Remote, Security, Site};
use crate::frame::Picture;
use crate::page::try_remote;
use crate::privacy::Masks;
use crate::publish::{Certificates, LinkError, probe as publish_probe};
use crate::secret::redact;
use crate::setup;
use crate::source::probe::{Probed, cure, probe};
use crate::source::{LiveParams, SourceError};

/// Time for a TCP connection.
const TCP: Duration = Duration::from_secs(5);
/// Time for TLS and the broker's answer.
const ANSWER: Duration = Duration::from_secs(15);
/// A detect stream larger than this costs decoding that detection does not use.
const DETECT_HEIGHT: u32 = 720;

/// Checks what a valid site names: what it amounts to, its broker, every camera's stream (all at once, as the service
/// opens them).
pub async fn check_site(site: &Site, tell: &mut dyn FnMut(Check)) {
    let cameras = match site.cameras.len() {
        1 => "1 camera".to_owned(),
        n => format!("{n} cameras"),
    };
    tell(Check::ok("site", &format!("{}/{}: no errors, {cameras}", site.id, site.box_id)));
    for notice in &site.notices {
        tell(Check::new("site", Verdict::Info, notice));
    }
    if let Some(listen) = site.status_listen {
        tell(page(listen, site.status_remote.as_ref()));
    }
    broker(site, tell).await;
    check_cameras(site, tell).await;
}

/// Tries every camera's stream.
pub async fn check_cameras(site: &Site, tell: &mut dyn FnMut(Check)) {
    let mut probes = JoinSet::new();
    for camera in &site.cameras {
        match setup::detect_params(site, camera) {
            Ok(Some(params)) => {
                probes.spawn(check_stream(camera.id.clone(), params, camera.analyse_fps));
            }
            Ok(None) => {
                let check =
                    Check::new("camera", Verdict::Warn, &format!("{}: no detect stream, for replay only", camera.id));
                tell(check.cure("add detect = { url = \"rtsp://…\", credential = \"…\" } to it"));
            }
            Err(error) => tell(Check::from_error("camera", Verdict::Fail, &error)),
        }
    }
    while let Some(check) = probes.join_next().await {
        tell(check.unwrap_or_else(|error| Check::new("camera", Verdict::Fail, &error.to_string())));
    }
}

/// Tries one stream, of which `analyse_fps` frames a second are wanted.
pub async fn check_stream(camera: CameraId, params: impl Into<LiveParams>, analyse_fps: f64) -> Check {
    let params = params.into();
    let name = format!("{camera} ({})", params.place());
    let told = Told { name, address: params.address(), analyse_fps };
    told.say(probe(camera, params, Masks::default()).await).await
}

/// How a stream is spoken of, and what is wanted of it.
struct Told {
    name: String,
    address: Option<(String, u16)>,
    analyse_fps: f64,
}

impl Told {
    /// Why it cannot be reached, where TCP alone tells more than GStreamer does.
    async fn why(&self, error: &SourceError) -> String {
        if let (SourceError::Unreachable { .. }, Some((host, port))) = (error, self.address.clone())
            && let Ok(Err((found, _))) = tokio::task::spawn_blocking(move || connect(&host, port)).await
        {
            return found;
        }
        error.to_string()
    }

    async fn say(&self, probed: Result<Probed, SourceError>) -> Check {
        let name = &self.name;
        let probed = match probed {
            Ok(probed) => probed,
            Err(error) => {
                let why = self.why(&error).await;
                return Check::new("camera", Verdict::Fail, &format!("{name}: {why}")).cure(&cure(&error));
            }
        };
        let found = format!("{name}: {}", described(&probed));
        if probed.fps.is_some_and(|fps| fps < self.analyse_fps * 0.9) {
            let found = format!("{found}; {} a second are to be analysed", self.analyse_fps);
            return Check::new("camera", Verdict::Warn, &found)
                .cure("raise the stream's frame rate on the camera's page");
        }
        if probed.frame.picture.height() > DETECT_HEIGHT {
            return Check::new("camera", Verdict::Warn, &found)
                .cure("detection needs no more than 640x360: name the camera's sub-stream, and save the decoding");
        }
        Check::ok("camera", &found)
    }
}

/// `640x360 H264 at 25.0 fps, first picture after 0.8 s, avdec_h264`.
fn described(probed: &Probed) -> String {
    let picture: &Picture = &probed.frame.picture;
    let fps = probed.fps.map_or_else(|| "rate unknown".to_owned(), |fps| format!("{fps:.1} fps"));
    format!(
        "{}x{} {} at {fps}, first picture after {:.1} s, {}",
        picture.width(),
        picture.height(),
        probed.codec,
        probed.first_after.as_secs_f64(),
        probed.decoder
    )
}

/// Whether the status page can listen where it is to.
fn page(listen: SocketAddr, remote: Option<&Remote>) -> Check {
    let url = match remote.map(|remote| (remote, try_remote(remote))) {
        None => format!("http://{listen}/"),
        Some((_, Err(error))) => return Check::from_error("page", Verdict::Fail, &error),
        Some((remote, Ok(0))) if remote.accounts.is_some() && remote.client_ca.is_none() => {
            let cure = "edge-agent account add FILE NAME --role admin";
            return Check::new("page", Verdict::Warn, "the accounts file is empty: nobody can log in").cure(cure);
        }
        Some((remote, Ok(_))) => format!("https://{}:{}/", remote.names.join(", "), listen.port()),
    };
    match TcpListener::bind(listen) {
        Ok(_) => Check::ok("page", &format!("{url}: free for the status page")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Check::new("page", Verdict::Warn, &format!("{url}: something listens there already"))
                .cure("if that is this service, all is well; else name another port in [status] of the site file")
        }
        Err(error) => Check::new("page", Verdict::Fail, &format!("{url}: {error}"))
            .cure("name an address of this box and a port above 1023 in [status] of the site file"),
    }
}

/// The broker, and the certificates as far as they were seen.
async fn broker(site: &Site, tell: &mut dyn FnMut(Check)) {
    let (check, probed) = probe_broker(site).await;
    tell(check);
    if site.mqtt.security() == Security::Plaintext {
        let found = "nothing protects what is said on the way to the broker: mqtt.allow_plaintext";
        let cure = "give the broker a certificate, then write mqtts:// and leave allow_plaintext out";
        tell(Check::new("certificate", Verdict::Warn, found).cure(cure));
    }
    certificates::check(site, probed.as_ref(), tell).await;
}

async fn probe_broker(site: &Site) -> (Check, Option<Certificates>) {
    let url = redact(site.mqtt.url.as_str());
    let fail = |found: &str| Check::new("broker", Verdict::Fail, &format!("{url}: {found}"));
    let only = |check: Check| (check, None);
    let (params, topics) = match (setup::broker(site), setup::topics(site)) {
        (Ok(params), Ok(topics)) => (params, topics),
        (Err(error), _) | (_, Err(error)) => return only(Check::from_error("broker", Verdict::Fail, &error)),
    };
    let begun = Instant::now();
    let (host, port) = (params.host.clone(), params.port);
    let connected = tokio::task::spawn_blocking(move || connect(&host, port)).await;
    if let Ok(Err((found, cure))) = connected {
        return only(fail(&found).cure(cure));
    }
    let secure = params.tls.is_some();
    let name = format!("{}-doctor", topics.client_id());
    match tokio::time::timeout(ANSWER, publish_probe::probe(&params, name)).await {
        Ok(Ok(certificates)) => {
            let version = certificates.as_ref().and_then(|certificates| certificates.tls_version);
            let steps = match (secure, version) {
                (false, _) => "TCP and MQTT accepted".to_owned(),
                (true, None) => "TCP, TLS and MQTT accepted".to_owned(),
                (true, Some(version)) => format!("TCP, TLS and MQTT accepted (TLS {version})"),
            };
            let found = format!("{url}: {steps} in {} ms", begun.elapsed().as_millis());
            (Check::ok("broker", &found), certificates)
        }
        // What it says to check is the cure, in brief.
        Ok(Err(error)) => {
            let text = error.to_string();
            let found = text.split_once("; check").map_or(text.as_str(), |(found, _)| found);
            only(fail(found).cure(link_cure(&error, secure)))
        }
        Err(_) => only(fail("TCP connects, and nobody answers MQTT").cure(if secure {
            "is this the broker's TLS port (mostly 8883)? write mqtt:// only for a broker without TLS"
        } else {
            "is this the broker's plain port (mostly 1883)? write mqtts:// for a broker with TLS"
        })),
    }
}

/// Name and TCP, one after the other, so that each has its own words.
fn connect(host: &str, port: u16) -> Result<(), (String, &'static str)> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| (format!("the name {host} is not known here: {error}"), "check the name, or this box's DNS"))?
        .collect();
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, TCP) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some((address, error)),
        }
    }
    let Some((address, error)) = last else { return Err(("the name has no address".to_owned(), "check the name")) };
    Err(match error.kind() {
        ErrorKind::ConnectionRefused => (
            format!("nothing listens on {address}"),
            "does the broker run? is the port right (8883 with TLS, 1883 without)?",
        ),
        ErrorKind::TimedOut => (
            format!("{address} does not answer within {} s", TCP.as_secs()),
            "a wrong address, a firewall, or no link: ping it, then ask the centre whether this box may reach it",
        ),
        _ => (format!("{address}: {error}"), "check the network: ip route, ping"),
    })
}

fn link_cure(error: &LinkError, secure: bool) -> &'static str {
    match error {
        LinkError::Untrusted { .. } => {
            "mqtt.ca must be the authority that signed the broker's certificate, the url's host one of its names, this \
             box's clock right"
        }
        LinkError::Certificates { .. } => "mend the file that it names; nothing else is needed",
        LinkError::Refused { .. } if secure => {
            "check the client certificate (mqtt.certificate, mqtt.key), user name and password, and that the broker lets \
             this box in"
        }
        LinkError::Refused { .. } => "check mqtt.username and mqtt.password, and that the broker lets this box in",
        LinkError::Unreachable { .. } | LinkError::Lost { .. } | LinkError::Silent | LinkError::Protocol { .. } => {
            "TCP connects and MQTT does not come about: is it an MQTT port, with TLS exactly where the url says mqtts?"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listen = taken.local_addr().expect("bound");
        assert_eq!(page(listen, None).verdict, Verdict::Warn);
        assert_eq!(page(SocketAddr::from(([127, 0, 0, 1], 0)), None).verdict, Verdict::Ok, "any free port");
    }
}

//! What a site connects to, resolved: secrets, URLs, the broker, streams, and where its page listens.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use analytics::SiteId;
use url::Url;

use super::document::MAX_ERRORS;
use super::raw::{RawMqtt, RawProtocol, RawSecret, RawStatus, RawStream, RawTransport};
use super::resolve::Resolver;
use super::secret::{SecretRef, SecretUse};
use super::site::{Credentials, Mqtt, Stream};
use crate::publish::Protocol;
use crate::source::{DeviceParams, Transport};

/// Where the status page of a site that says nothing of it listens.
const DEFAULT_STATUS_LISTEN: &str = "127.0.0.1:8090";

impl Resolver<'_> {
    pub(super) fn secret(&mut self, key: &str, raw: &RawSecret) -> Option<SecretRef> {
        let reference = self.secret_ref(key, raw)?;
        let is_few = self.secrets.len() < MAX_ERRORS;
        let (file, line) = (self.document.file().to_owned(), is_few.then(|| self.document.line_of(key)).flatten());
        self.secrets.push(SecretUse { file, line, key: key.to_owned(), reference: reference.clone() });
        Some(reference)
    }

    fn secret_ref(&mut self, key: &str, raw: &RawSecret) -> Option<SecretRef> {
        let site_dir = self.site_dir().to_owned();
        match (&raw.credential, &raw.file, &raw.env) {
            (Some(name), None, None) if name.is_empty() || name.contains('/') || name.starts_with('.') => {
                self.error(key, "is not the name of a credential", "write a plain name, such as \"cam-huong-nam\"");
                None
            }
            (Some(name), None, None) => Some(SecretRef::Credential { name: name.clone(), site_dir }),
            (None, Some(path), None) => Some(SecretRef::File(site_dir.join(path))),
            (None, None, Some(name)) => Some(SecretRef::Env(name.clone())),
            _ => {
                if !self.is_reported(key) {
                    self.error(key, "needs exactly one of credential, file and env", "write { credential = \"…\" }");
                }
                None
            }
        }
    }

    /// Parses a URL without echoing what may be a password.
    pub(super) fn url(&mut self, key: &str, text: &str, schemes: &[&str], example: &str) -> Option<Url> {
        let Ok(mut url) = Url::parse(text) else {
            self.error(key, "is not a URL", format!("write it like {example}"));
            return None;
        };
        if !url.username().is_empty() || url.password().is_some() {
            let cure = format!("write {example} here and keep user and password in a credential");
            self.error(key, "holds a user or password", cure);
            // Both fail only for URLs that cannot have them.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            return None;
        }
        if !schemes.contains(&url.scheme()) {
            let what = format!("has the scheme \"{}\"", url.scheme());
            self.error(key, what, format!("write it like {example}"));
            return None;
        }
        if url.host().is_none() {
            self.error(key, "names no host", format!("write it like {example}"));
            return None;
        }
        Some(url)
    }

    pub(super) fn mqtt(&mut self, raw: &RawMqtt) -> Option<Mqtt> {
        let example = "mqtts://broker.example:8883";
        let text = self.required("mqtt.url", raw.url.as_ref(), &format!("write it like {example}"));
        let url = text.and_then(|text| self.url("mqtt.url", text, &["mqtt", "mqtts"], example));
        if let Some(url) = &url {
            self.check_plaintext(url, raw.allow_plaintext);
        }
        let root = raw.root.clone().unwrap_or_else(|| "ngatu".to_owned());
        self.id("mqtt.root", Some(&root), SiteId::new);
        if let Some(host) = &raw.primary_host {
            self.id("mqtt.primary_host", Some(host), SiteId::new);
        }
        let site_dir = self.site_dir().to_owned();
        let identity = match (&raw.certificate, &raw.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => self.secret("mqtt.key", key).map(|key| (site_dir.join(certificate), key)),
            _ => {
                self.one_of_two("mqtt", ["certificate", "key"]);
                None
            }
        };
        let login = match (&raw.username, &raw.password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                self.secret("mqtt.password", password).map(|password| (user.clone(), password))
            }
            _ => {
                self.one_of_two("mqtt", ["username", "password"]);
                None
            }
        };
        let tls = url.as_ref().is_some_and(|url| url.scheme() == "mqtts");
        if url.is_some() && !tls && (raw.ca.is_some() || raw.certificate.is_some()) {
            self.error("mqtt.url", "is mqtt:// and a certificate is configured", "write mqtts://");
        }
        if tls && raw.ca.is_none() {
            let cure = "name the PEM file of the authorities that sign the broker's certificate; for public ones, on \
                        Debian: ca = \"/etc/ssl/certs/ca-certificates.crt\"";
            self.error("mqtt.ca", "is missing, and mqtt.url is mqtts://", cure);
        }
        let protocol = match raw.protocol {
            None | Some(RawProtocol::V5) => Protocol::V5,
            Some(RawProtocol::V311) => {
                let notice = "mqtt.protocol 3.1.1: the broker cannot refuse one message; what its access list or size \
                              limit drops is lost in silence, so try its rules with every kind of message";
                self.notices.push(notice.to_owned());
                Protocol::V311
            }
        };
        let (ca, primary_host) = (raw.ca.as_ref().map(|ca| site_dir.join(ca)), raw.primary_host.clone());
        Some(Mqtt { url: url?, protocol, root, ca, identity, login, primary_host })
    }

    fn check_plaintext(&mut self, url: &Url, allowed: bool) {
        // The url crate knows no addresses in schemes it does not know: the host is text.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if url.scheme() == "mqtt" && !loopback {
            if allowed {
                let notice = "mqtt.allow_plaintext: anyone between this box and the broker can read and forge events";
                self.notices.push(notice.to_owned());
            } else {
                let cure = "write mqtts://, or set allow_plaintext = true if you accept that";
                self.error("mqtt.url", "is mqtt:// beyond loopback: anyone on the way can read and forge events", cure);
            }
        }
    }

    pub(super) fn stream(&mut self, key: &str, raw: &RawStream, schemes: &[&str]) -> Option<Stream> {
        let example = "rtsp://192.0.2.11/sub";
        for (name, given) in
            [("device", raw.device.is_some()), ("size", raw.size.is_some()), ("fps", raw.fps.is_some())]
        {
            if given {
                let cure = "leave it out; a device is written detect = { device = \"/dev/video0\" }, without a url";
                self.error(&format!("{key}.{name}"), "does not go with a url, nor with record", cure);
            }
        }
        let text = self.required(&format!("{key}.url"), raw.url.as_ref(), &format!("write it like {example}"));
        let url = text.and_then(|text| self.url(&format!("{key}.url"), text, schemes, example));
        if raw.transport.is_some() && url.as_ref().is_some_and(|url| url.scheme() == "http") {
            self.error(&format!("{key}.transport"), "means nothing for http", "leave it out");
        }
        let given = [raw.credential.is_some(), raw.credential_file.is_some(), raw.credential_env.is_some()];
        let credentials = if given.contains(&true) {
            let reference = RawSecret {
                credential: raw.credential.clone(),
                file: raw.credential_file.clone(),
                env: raw.credential_env.clone(),
            };
            self.secret(&format!("{key}.credential"), &reference).map(Credentials)
        } else {
            None
        };
        let transport = match raw.transport {
            None | Some(RawTransport::Tcp) => Transport::Tcp,
            Some(RawTransport::Udp) => Transport::Udp,
        };
        Some(Stream { url: url?, credentials, transport })
    }

    /// A camera on this box.
    pub(super) fn device(&mut self, key: &str, device: &Path, raw: &RawStream) -> Option<DeviceParams> {
        let given = [&raw.credential, &raw.credential_env].into_iter().any(Option::is_some);
        if given || raw.credential_file.is_some() || raw.transport.is_some() {
            let cure = "leave out credential and transport";
            self.error(&format!("{key}.device"), "does not go with a log-in or a transport", cure);
        }
        if !device.is_absolute() {
            let cure = "write a path such as \"/dev/video0\"";
            self.error(&format!("{key}.device"), "is not the whole path of a device", cure);
        }
        let sides = 16..=8192;
        if raw.size.is_some_and(|size| size.iter().any(|side| !sides.contains(side))) {
            self.error(&format!("{key}.size"), "is no picture's", "write width and height, such as [1280, 720]");
        }
        if raw.fps.is_some_and(|fps| !(1..=240).contains(&fps)) {
            self.error(&format!("{key}.fps"), "is no frame rate", "write 1 to 240, or leave it out");
        }
        Some(DeviceParams { device: device.to_owned(), size: raw.size.map(|[w, h]| (w, h)), fps: raw.fps })
    }

    pub(super) fn status_listen(&mut self, raw: Option<&RawStatus>) -> Option<SocketAddr> {
        let key = "status.listen";
        let text = raw.and_then(|raw| raw.listen.as_deref()).unwrap_or(DEFAULT_STATUS_LISTEN);
        if text == "off" {
            return None;
        }
        let address = text.parse::<SocketAddr>();
        match address {
            Ok(address) if address.ip().is_loopback() || raw.is_some_and(|raw| raw.remote.is_some()) => Some(address),
            Ok(_) if self.is_reported("status.remote") => None,
            Ok(address) => {
                let port = address.port();
                let cure = format!(
                    "write \"127.0.0.1:{port}\", and from another machine: ssh -L {port}:127.0.0.1:{port} USER@BOX; or \
                     add [status.remote] with TLS and accounts (docs/status-page.md)"
                );
                self.error(key, "is beyond loopback, where the status page needs TLS and log-ins", cure);
                None
            }
            Err(_) => {
                let cure = format!("write it like \"{DEFAULT_STATUS_LISTEN}\", or \"off\"");
                self.error(key, "is not an address with a port", cure);
                None
            }
        }
    }
}

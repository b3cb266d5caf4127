//! The certificates of a campaign, made when it begins: an authority, the broker's, the box's.

use std::path::Path;

use tempfile::TempDir;

use crate::common::certificates::{Authority, Files, Pair, write_secret};
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// What the broker is reached by; its certificate must say so.
const HOSTS: [&str; 1] = ["127.0.0.1"];

pub(crate) struct Papers {
    authority: Authority,
    folder: TempDir,
    /// How many were signed: each bears its number in its name.
    signed: u64,
}

impl Papers {
    /// An authority, and what it signed first, in the box's folder.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut papers = Self { authority: Authority::new("authority of the campaign"), folder, signed: 0 };
        std::fs::write(papers.files().ca(), papers.authority.pem()).expect("writes");
        papers.renew();
        papers
    }

    fn files(&self) -> Files {
        Files::in_folder(self.folder.path())
    }

    /// A site whose program trusts this authority and shows the box's certificate.
    pub(crate) fn shown_by(&self, site: SiteFile) -> SiteFile {
        let files = self.files();
        let (certificate, key) = (files.certificate(), files.key());
        let shown =
            format!("[mqtt]\ncertificate = \"{}\"\nkey = {{ file = \"{}\" }}", certificate.display(), key.display());
        site.broker_tls(&files.ca()).replaced("[mqtt]", &shown)
    }

    fn next(&mut self, whose: &str) -> String {
        self.signed += 1;
        format!("{whose} {}", self.signed)
    }

    /// Puts another key and certificate in the place of the box's; the name in it.
    pub(crate) fn renew(&mut self) -> String {
        let name = self.next("box");
        Files::write_pair(self.folder.path(), &self.authority.sign(&name, &[]));
        name
    }

    /// Puts a certificate there whose time is over.
    pub(crate) fn expire(&mut self) {
        let name = self.next("expired box");
        Files::write_pair(self.folder.path(), &self.authority.sign_expired(&name, &[]));
    }

    /// Lines of a broker that speaks TLS on `port` and asks for certificates of this authority.
    pub(crate) fn listener(&self, broker: &Mosquitto, port: u16) -> String {
        let at = |name| broker.path(name).display().to_string();
        std::fs::write(broker.path("ca.pem"), self.authority.pem()).expect("writes");
        format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n\
             use_identity_as_username true",
            at("ca.pem"),
            at("broker.pem"),
            at("broker.key")
        )
    }

    /// Gives the broker another certificate, which it shows when it has read it.
    pub(crate) fn renew_broker(&mut self, broker: &Mosquitto) {
        let name = self.next("broker");
        write_pair(broker, &self.authority.sign(&name, &HOSTS));
    }

    /// Gives the broker one whose time is over.
    pub(crate) fn expire_broker(&mut self, broker: &Mosquitto) {
        let name = self.next("expired broker");
        write_pair(broker, &self.authority.sign_expired(&name, &HOSTS));
    }

    /// Gives the broker one that is valid from 2020 on: at a clock of 1970 its time has not come.
    pub(crate) fn renew_broker_from_2020(&mut self, broker: &Mosquitto) {
        let name = self.next("broker");
        write_pair(broker, &self.authority.sign_from_2020(&name, &HOSTS));
    }
}

fn write_pair(broker: &Mosquitto, pair: &Pair) {
    let write = |name: &str, content: &str| write_secret(Path::new(&broker.path(name)), content);
    write("broker.pem", &pair.certificate);
    write("broker.key", &pair.key);
}

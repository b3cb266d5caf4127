//! Certificates for tests, made as they are needed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use edge_agent::config::SecretRef;
use edge_agent::publish::TlsParams;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

/// An authority that signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signs itself"))
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`, valid for these hosts (names or addresses).
    pub(crate) fn sign(&self, name: &str, hosts: &[&str]) -> Pair {
        self.sign_with(params(name, hosts))
    }

    /// One that is no longer valid.
    pub(crate) fn sign_expired(&self, name: &str, hosts: &[&str]) -> Pair {
        let mut params = params(name, hosts);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign_with(params)
    }

    /// One that is valid for so many days from now.
    pub(crate) fn sign_for_days(&self, name: &str, hosts: &[&str], days: u64) -> Pair {
        let mut params = params(name, hosts);
        let now = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 24 * 3600);
        params.not_after = now.into();
        self.sign_with(params)
    }

    /// One whose time has not come.
    pub(crate) fn sign_for_later(&self, name: &str, hosts: &[&str]) -> Pair {
        let mut params = params(name, hosts);
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
        self.sign_with(params)
    }

    /// One that is valid from 2020 on.
    pub(crate) fn sign_from_2020(&self, name: &str, hosts: &[&str]) -> Pair {
        let mut params = params(name, hosts);
        params.not_before = date_time_ymd(2020, 1, 1);
        self.sign_with(params)
    }

    fn sign_with(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signs");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("host names");
    params.distinguished_name.push(DnType::CommonName, name);
    // For a clock that begins in 1970, too.
    params.not_before = date_time_ymd(1970, 1, 1);
    params
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, content: &str) {
    std::fs::write(path, content).expect("writes");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("sets the mode");
}

/// A client's certificate files in a folder.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// By their names there, whatever they hold.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Trusts `authority` and shows `pair`.
    pub(crate) fn write(folder: &Path, authority: &Authority, pair: Option<&Pair>) -> Self {
        let files = Self::in_folder(folder);
        std::fs::write(files.ca(), authority.pem()).expect("writes");
        if let Some(pair) = pair {
            std::fs::write(files.certificate(), &pair.certificate).expect("writes");
            write_secret(&files.key(), &pair.key);
        }
        files
    }

    /// Replaces the certificate and its key alone.
    pub(crate) fn write_pair(folder: &Path, pair: &Pair) {
        let files = Self::in_folder(folder);
        std::fs::write(files.certificate(), &pair.certificate).expect("writes");
        write_secret(&files.key(), &pair.key);
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("box.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("box.key")
    }

    /// With the client's certificate, if one was written.
    pub(crate) fn params(&self) -> TlsParams {
        let client = self.certificate().exists().then(|| (self.certificate(), SecretRef::File(self.key())));
        TlsParams { ca: self.ca(), client }
    }
}

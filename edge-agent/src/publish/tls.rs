//! TLS to the broker: its certificate is checked against given authorities and its name, and this box shows its own.
//! TLS 1.2 and 1.3, nothing older.
//!
//! The files are read for every connection: a renewed certificate is used from the next one on, without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rumqttc::tokio_rustls::rustls::crypto::ring;
use rumqttc::tokio_rustls::rustls::pki_types::pem::PemObject;
use rumqttc::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rumqttc::tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::config::{SecretError, SecretRef};

/// The certificates in use, by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsParams {
    /// PEM file of the authorities that may have signed the broker's certificate.
    pub ca: PathBuf,
    /// PEM file of this box's certificate (with its chain), and its private key.
    pub client: Option<(PathBuf, SecretRef)>,
}

/// Certificates that cannot be used. Never holds any of a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate file cannot be read.
    #[error("the certificate file {} cannot be read: {error}\n    → put it there, readable for this program's user", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A certificate file holds none.
    #[error("{} holds no certificate\n    → it must be PEM: lines from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// What stands between the PEM lines is no certificate.
    #[error("{} holds a damaged certificate: {reason}\n    → fetch it again from whoever issued it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In the TLS library's words.
        reason: String,
    },
    /// The key cannot be had.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The secret is no private key.
    #[error(
        "{0} holds no private key\n    → it must be PEM without a passphrase: lines from -----BEGIN PRIVATE KEY----- \
         (or EC, RSA) to its END"
    )]
    NoKey(String),
    /// Certificate and key are not a pair.
    #[error("the private key in {key} does not belong to the certificate {}\n    → give the key that its request was made with", certificate.display())]
    NotAPair {
        /// Where the key is.
        key: String,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// A certificate or key of a kind that is not supported.
    #[error("the certificate {} or its key cannot be used: {reason}\n    → ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more", certificate.display())]
    Unsupported {
        /// The certificate's file.
        certificate: PathBuf,
        /// In the TLS library's words.
        reason: String,
    },
}

impl TlsParams {
    /// Reads the files and proves that they can be used. Blocks on the disk.
    ///
    /// # Errors
    /// [`TlsError`], with file and cure.
    pub fn load(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            let damaged = |error: rustls::Error| TlsError::Damaged { path: self.ca.clone(), reason: error.to_string() };
            roots.add(certificate).map_err(damaged)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring offers the suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots);
        let Some((certificate, key)) = &self.client else { return Ok(Arc::new(builder.with_no_client_auth())) };
        let chain = certificates(certificate)?;
        let secret = key.read_whole()?;
        let private_key = PrivateKeyDer::from_pem_slice(secret.expose().as_bytes());
        let private_key = private_key.map_err(|_| TlsError::NoKey(key.place()))?;
        let config = builder.with_client_auth_cert(chain, private_key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::NotAPair { key: key.place(), certificate: certificate.clone() }
            }
            other => TlsError::Unsupported { certificate: certificate.clone(), reason: other.to_string() },
        })?;
        Ok(Arc::new(config))
    }
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.to_owned(), error })?;
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates =
        certificates.map_err(|error| TlsError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    if certificates.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(certificates) }
}

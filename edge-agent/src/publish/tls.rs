//! TLS to the broker: its certificate is checked against given authorities and its name, and this box shows its own.
//! TLS 1.2 and 1.3, nothing older; nothing switches the check off.
//!
//! [`TlsParams::load`] reads the files once; [`super::keyring`] reads them anew when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rumqttc::tokio_rustls::rustls::client::WebPkiServerVerifier;
use rumqttc::tokio_rustls::rustls::crypto::ring;
use rumqttc::tokio_rustls::rustls::pki_types::pem::PemObject;
use rumqttc::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rumqttc::tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::wire::UtcMillis;
use super::witness::{Seen, Witness};
use super::x509::Facts;
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
    /// A certificate whose time is over.
    #[error("the certificate {} expired on {not_after}\n    → put a renewed one there, with its key; a restart is not needed", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// Since when.
        not_after: UtcMillis,
    },
    /// A certificate whose time has not come: mostly a wrong clock.
    #[error(
        "the certificate {} is valid from {not_before} on\n    → is this box's clock right? it says {now}",
        path.display()
    )]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// From when.
        not_before: UtcMillis,
        /// What the clock says.
        now: UtcMillis,
    },
}

/// From when until when something is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// The certificate's common name.
    pub name: Option<String>,
    /// Not before.
    pub not_before: UtcMillis,
    /// Not after.
    pub not_after: UtcMillis,
}

impl Validity {
    /// Of a certificate and those that vouch for it: all of them must be valid. The name is the first one's.
    pub(super) fn of_chain<'a>(chain: impl IntoIterator<Item = &'a Facts>) -> Option<Self> {
        chain.into_iter().fold(None, |sofar: Option<Self>, facts| {
            let Some(sofar) = sofar else { return Some(Self::from(facts)) };
            let not_before = sofar.not_before.max(facts.not_before);
            Some(Self { not_before, not_after: sofar.not_after.min(facts.not_after), ..sofar })
        })
    }
}

impl From<&Facts> for Validity {
    fn from(facts: &Facts) -> Self {
        Self { name: facts.common_name.clone(), not_before: facts.not_before, not_after: facts.not_after }
    }
}

/// Certificates as they were read, which belong together and can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    config: Arc<ClientConfig>,
    /// What the files hold, to tell a change from a touch.
    held: [Vec<CertificateDer<'static>>; 2],
    params: TlsParams,
    /// This box's certificate, with its chain.
    pub own: Option<Validity>,
    authorities: Vec<Facts>,
    pub(super) seen: Arc<Seen>,
}

impl Loaded {
    /// To connect with.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The authority that vouches for the broker; before one is known, the one of the file that lasts longest.
    #[must_use]
    pub fn authority(&self) -> Option<Validity> {
        let issuer = self.seen.issuer();
        let of_broker = |facts: &&Facts| issuer.as_ref().is_none_or(|issuer| *issuer == facts.subject);
        let lasting = |facts: &&Facts| facts.not_after;
        let found = self.authorities.iter().filter(of_broker).max_by_key(lasting);
        found.or_else(|| self.authorities.iter().max_by_key(lasting)).map(Validity::from)
    }

    /// Whether both hold the same certificates.
    pub(super) fn holds_the_same_as(&self, other: &Self) -> bool {
        self.held == other.held
    }

    /// Whether their time has come and is not over.
    ///
    /// # Errors
    /// [`TlsError::Expired`], [`TlsError::NotYetValid`].
    pub fn is_timely(&self, now: UtcMillis) -> Result<(), TlsError> {
        let certificate = self.params.client.as_ref().map(|(path, _)| path);
        let mine = certificate.zip(self.own.as_ref());
        let authority = self.authorities.iter().max_by_key(|facts| facts.not_after).map(Validity::from);
        for (path, validity) in mine.into_iter().chain(Some(&self.params.ca).zip(authority.as_ref())) {
            if validity.not_after < now {
                return Err(TlsError::Expired { path: path.clone(), not_after: validity.not_after });
            }
            if now < validity.not_before {
                return Err(TlsError::NotYetValid { path: path.clone(), not_before: validity.not_before, now });
            }
        }
        Ok(())
    }
}

impl TlsParams {
    /// The files, as far as they are files.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let client = self.client.iter().flat_map(|(certificate, key)| [Some(certificate.clone()), key.file()]);
        std::iter::once(Some(self.ca.clone())).chain(client).flatten()
    }

    /// Reads the files and proves that they can be used. Blocks on the disk.
    ///
    /// # Errors
    /// [`TlsError`], with file and cure.
    pub fn load(&self) -> Result<Loaded, TlsError> {
        let authorities = certificates(&self.ca)?;
        let mut roots = RootCertStore::empty();
        for certificate in &authorities {
            let damaged = |error: rustls::Error| TlsError::Damaged { path: self.ca.clone(), reason: error.to_string() };
            roots.add(certificate.clone()).map_err(damaged)?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("there is an authority, and no revocation list");
        let seen = Arc::new(Seen::default());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring offers the suites of TLS 1.2 and 1.3")
            .dangerous()
            // Not dangerous: it asks the library's own verifier, and notes what that has accepted.
            .with_custom_certificate_verifier(Arc::new(Witness::new(verifier, Arc::clone(&seen))));
        let (config, chain) = match &self.client {
            None => (builder.with_no_client_auth(), Vec::new()),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let secret = key.read_whole()?;
                let private_key = PrivateKeyDer::from_pem_slice(secret.expose().as_bytes());
                let private_key = private_key.map_err(|_| TlsError::NoKey(key.place()))?;
                let config = builder.with_client_auth_cert(chain.clone(), private_key);
                (config.map_err(|error| unusable(error, certificate, key))?, chain)
            }
        };
        let facts = |certificates: &[CertificateDer<'_>]| -> Vec<Facts> {
            certificates.iter().filter_map(|certificate| Facts::read(certificate)).collect()
        };
        Ok(Loaded {
            config: Arc::new(config),
            params: self.clone(),
            own: Validity::of_chain(&facts(&chain)),
            authorities: facts(&authorities),
            held: [authorities, chain],
            seen,
        })
    }
}

fn unusable(error: rustls::Error, certificate: &Path, key: &SecretRef) -> TlsError {
    let certificate = certificate.to_owned();
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::NotAPair { key: key.place(), certificate },
        other => TlsError::Unsupported { certificate, reason: other.to_string() },
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

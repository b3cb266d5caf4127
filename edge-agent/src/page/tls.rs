//! TLS of the page for other machines: its certificate, and the authorities of clients' certificates. TLS 1.2 and 1.3 with
//! ring, as to the broker.
//!
//! Files that are replaced are used for the connections made after the next look. Sessions are not resumed: every connection
//! shows its certificate anew, so that one that expired or whose authority is gone does not live on in a ticket.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::access::FileStamp;
use crate::config::{Remote, SecretRef};
use crate::publish::{TlsError, certificates};

/// The files.
#[derive(Debug, Clone)]
pub(super) struct PageTls {
    certificate: PathBuf,
    key: SecretRef,
    client_ca: Option<PathBuf>,
    /// Whether there is another way in than a certificate.
    has_accounts: bool,
}

impl PageTls {
    pub(super) fn new(remote: &Remote) -> Self {
        Self {
            certificate: remote.certificate.clone(),
            key: remote.key.clone(),
            client_ca: remote.client_ca.clone(),
            has_accounts: remote.accounts.is_some(),
        }
    }

    /// Reads the files and proves that they can be used. Blocks on the disk.
    pub(super) fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring offers the suites of TLS 1.2 and 1.3");
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                let damaged = |reason: String| TlsError::Damaged { path: path.clone(), reason };
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| damaged(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                // Whoever has none may log in, where there are accounts.
                let verifier = if self.has_accounts { verifier.allow_unauthenticated() } else { verifier };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| damaged(error.to_string()))?)
            }
        };
        let chain = certificates(&self.certificate)?;
        let secret = self.key.read_whole()?;
        let key = PrivateKeyDer::from_pem_slice(secret.expose().as_bytes());
        let key = key.map_err(|_| TlsError::NoKey(self.key.place()))?;
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::NotAPair { key: self.key.place(), certificate: self.certificate.clone() }
            }
            other => TlsError::Unsupported { certificate: self.certificate.clone(), reason: other.to_string() },
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// Another one once a certificate file is another; a key goes with its certificate. Blocks on the disk.
    pub(super) fn stamp(&self) -> [Option<FileStamp>; 2] {
        [Some(FileStamp::of(&self.certificate)), self.client_ca.as_deref().map(FileStamp::of)]
    }
}

/// The name (CN) in a client's certificate; `None` where it has none, or more than one.
pub(super) fn name_in(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    names.next().is_none().then(|| name.to_owned())
}

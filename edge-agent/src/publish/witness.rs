//! Notes what the TLS library has accepted of the broker: until when its certificates are valid, who signed them, and
//! which version of TLS is spoken. It decides nothing itself.

use std::sync::{Arc, Mutex, PoisonError};

use rumqttc::tokio_rustls::rustls::client::WebPkiServerVerifier;
use rumqttc::tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rumqttc::tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rumqttc::tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::tls::Validity;
use super::x509::Facts;

/// What was seen of the broker; kept from connection to connection.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Broker>);

#[derive(Debug, Clone, Default)]
struct Broker {
    validity: Option<Validity>,
    /// Of the last certificate that the broker shows.
    issuer: Option<Vec<u8>>,
    version: Option<&'static str>,
}

impl Seen {
    fn get(&self) -> Broker {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Broker)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Of the broker's certificate and those it shows with it.
    pub(super) fn validity(&self) -> Option<Validity> {
        self.get().validity
    }

    /// Who vouches for the broker.
    pub(super) fn issuer(&self) -> Option<Vec<u8>> {
        self.get().issuer
    }

    /// `1.2` or `1.3`.
    pub(super) fn version(&self) -> Option<&'static str> {
        self.get().version
    }
}

/// The library's verifier, and where it is noted what it accepts.
#[derive(Debug)]
pub(super) struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    seen: Arc<Seen>,
}

impl Witness {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>, seen: Arc<Seen>) -> Self {
        Self { verifier, seen }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let shown = std::iter::once(end_entity).chain(intermediates);
        let chain: Vec<Facts> = shown.filter_map(|certificate| Facts::read(certificate)).collect();
        self.seen.change(|broker| {
            broker.validity = Validity::of_chain(&chain);
            broker.issuer = chain.into_iter().next_back().map(|facts| facts.issuer);
        });
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.verifier.verify_tls12_signature(message, certificate, signed)?;
        self.seen.change(|broker| broker.version = Some("1.2"));
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.verifier.verify_tls13_signature(message, certificate, signed)?;
        self.seen.change(|broker| broker.version = Some("1.3"));
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

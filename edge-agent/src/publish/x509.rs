//! What this program wants to know of an X.509 certificate (RFC 5280): until when it is valid, who it is and who signed it.
//! Whether it can be trusted is the TLS library's business, which has verified or refused it by itself.

use x509_parser::time::ASN1Time;

use super::wire::UtcMillis;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Not valid before.
    pub(super) not_before: UtcMillis,
    /// Not valid after.
    pub(super) not_after: UtcMillis,
    /// The subject's common name.
    pub(super) common_name: Option<String>,
    /// The subject as it is written, to be compared with [`Facts::issuer`].
    pub(super) subject: Vec<u8>,
    /// Who signed it, as it is written.
    pub(super) issuer: Vec<u8>,
}

impl Facts {
    /// Reads a certificate's DER; `None`: it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let time = |time: ASN1Time| UtcMillis::from_unix_millis(time.timestamp().saturating_mul(1000));
        let common_name = certificate.subject().iter_common_name().next();
        Some(Self {
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            common_name: common_name.and_then(|name| name.as_str().ok()).map(str::to_owned),
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["box.example".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::OrganizationName, "Sở Xây dựng");
        params.distinguished_name.push(DnType::CommonName, "ql10-nut-01/box-a");
        params.not_before = date_time_ymd(2020, 2, 29);
        params.not_after = date_time_ymd(until, 12, 31);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("signs").der().to_vec()
    }

    #[test]
    fn validity_and_names_are_read_in_both_forms_of_time() {
        for (until, text) in [(2049, "2049-12-31T00:00:00.000Z"), (2050, "2050-12-31T00:00:00.000Z")] {
            let facts = Facts::read(&certificate(until)).expect("a certificate");
            assert_eq!(facts.not_before.to_string(), "2020-02-29T00:00:00.000Z");
            assert_eq!(facts.not_after.to_string(), text);
            assert_eq!(facts.common_name.as_deref(), Some("ql10-nut-01/box-a"));
            assert_eq!(facts.subject, facts.issuer, "it signed itself");
        }
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_read_or_given_up(at in 0_usize..400, byte: u8, end in 0_usize..400) {
            let mut der = certificate(2049);
            let at = at % der.len();
            der[at] = byte;
            Facts::read(&der);
            prop_assert_eq!(Facts::read(&der[..end.min(der.len() - 1)]), None);
        }

        #[test]
        fn any_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Facts::read(&bytes);
        }
    }
}

//! What this program wants to know of an X.509 certificate (RFC 5280, 4.1): until when it is valid, who it is and who
//! signed it. Whether it can be trusted is the TLS library's business, which has verified or refused it by itself.
//!
//! A reader of DER (X.690) that goes straight to four fields, and gives up on anything it does not know: a few dozen
//! lines instead of a dozen crates.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::wire::UtcMillis;

const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0] EXPLICIT`: the certificate's version.
const VERSION: u8 = 0xa0;
/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

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
    /// Reads a certificate's DER; `None`: not one that this reader knows.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).take(SEQUENCE)?);
        let mut fields = Der(certificate.take(SEQUENCE)?);
        if fields.0.first() == Some(&VERSION) {
            fields.take(VERSION)?;
        }
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.to_vec();
        let mut validity = Der(fields.take(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = fields.take(SEQUENCE)?.to_vec();
        Some(Self { not_before, not_after, common_name: common_name(&subject), subject, issuer })
    }
}

/// The common name in a `Name`: a sequence of sets of sequences of type and value.
fn common_name(name: &[u8]) -> Option<String> {
    let mut names = Der(name);
    while !names.0.is_empty() {
        let mut attribute = Der(Der(names.take(SET)?).take(SEQUENCE)?);
        if attribute.take(OBJECT_ID)? == COMMON_NAME {
            // UTF8String or PrintableString; of others only what is UTF-8 too.
            let (_, value) = attribute.next()?;
            return String::from_utf8(value.to_vec()).ok();
        }
    }
    None
}

/// What is left to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value and its tag.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                (length.iter().fold(0_usize, |all, byte| all << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// `Time` of RFC 5280, 4.1.2.5: two digits of the year up to 2049, four from 2050 on; always UTC, with seconds.
    fn time(&mut self) -> Option<UtcMillis> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
        let whole = match tag {
            UTC_TIME if text.len() == 12 => {
                let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
                format!("{century}{text}")
            }
            GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
            _ => return None,
        };
        let time = DateTime::strptime("%Y%m%d%H%M%S", &whole).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(UtcMillis::from_unix_millis(time.timestamp().as_millisecond()))
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

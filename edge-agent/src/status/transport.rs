//! What protects the way to the broker, for health, status page and metrics: certificates that end are announced 30 and 7
//! days before, plaintext stays visible.

use tokio::sync::watch;

use crate::config::Security;
use crate::publish::wire::{CertificateHealth, Severity, TransportHealth, UtcMillis};
use crate::publish::{Certificates, Validity};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A certificate that ends within so many days is to be renewed.
const RENEW_DAYS: i64 = 30;
/// One that ends within so many days is to be renewed now.
const URGENT_DAYS: i64 = 7;

/// How urgent the renewal of a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Valid for long.
    None,
    /// 30 days or less.
    Soon,
    /// 7 days or less.
    Now,
    /// Its time is over.
    Expired,
    /// Its time has not come: mostly the box's clock is wrong.
    NotYet,
}

impl Urgency {
    /// Of a certificate, now.
    #[must_use]
    pub fn of(validity: &Validity, now: UtcMillis) -> Self {
        let left = days_left(validity, now);
        match () {
            () if now < validity.not_before => Self::NotYet,
            () if validity.not_after < now => Self::Expired,
            () if left < URGENT_DAYS => Self::Now,
            () if left < RENEW_DAYS => Self::Soon,
            () => Self::None,
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::None => Severity::Info,
            Self::Soon => Severity::Warning,
            Self::Now => Severity::High,
            Self::Expired | Self::NotYet => Severity::Critical,
        }
    }
}

/// Whole days until a certificate ends.
#[must_use]
pub fn days_left(validity: &Validity, now: UtcMillis) -> i64 {
    (validity.not_after.as_unix_millis() - now.as_unix_millis()).div_euclid(DAY_MS)
}

/// Codes of health for this box's certificate, the authority's and the broker's: soon, now, expired, not yet.
pub(crate) const CODES: [[&str; 4]; 3] = [
    ["certificate_expires_30d", "certificate_expires_7d", "certificate_expired", "certificate_not_yet_valid"],
    ["ca_expires_30d", "ca_expires_7d", "ca_expired", "ca_not_yet_valid"],
    [
        "broker_certificate_expires_30d",
        "broker_certificate_expires_7d",
        "broker_certificate_expired",
        "broker_certificate_not_yet_valid",
    ],
];
/// New certificate files cannot be used.
pub(crate) const CERTIFICATE_FILES: &str = "certificate_files";
/// The broker is reached in plain text beyond loopback.
pub(crate) const PLAINTEXT: &str = "plaintext";

/// Where it is read.
#[derive(Debug, Clone)]
pub struct Transport {
    /// As the site file asks for.
    pub security: Security,
    /// With TLS.
    pub certificates: Option<watch::Receiver<Certificates>>,
}

impl Transport {
    fn certificates(&self) -> Certificates {
        self.certificates.as_ref().map(|certificates| certificates.borrow().clone()).unwrap_or_default()
    }

    /// What a person must know, as codes.
    pub(super) fn reasons(&self, now: UtcMillis) -> Vec<&'static str> {
        let Certificates { own, authority, broker, problem, .. } = self.certificates();
        let code = |(validity, codes): (Option<Validity>, [&'static str; 4])| {
            let [soon, urgent, expired, not_yet] = codes;
            match Urgency::of(&validity?, now) {
                Urgency::None => None,
                Urgency::Soon => Some(soon),
                Urgency::Now => Some(urgent),
                Urgency::Expired => Some(expired),
                Urgency::NotYet => Some(not_yet),
            }
        };
        let ending = std::iter::zip([own, authority, broker], CODES).filter_map(code);
        let plaintext = (self.security == Security::Plaintext).then_some(PLAINTEXT);
        plaintext.into_iter().chain(ending).chain(problem.map(|_| CERTIFICATE_FILES)).collect()
    }

    /// All of it.
    pub(crate) fn health(&self, now: UtcMillis) -> TransportHealth {
        let Certificates { own, authority, broker, tls_version, problem } = self.certificates();
        let of = |validity: Option<Validity>| {
            validity.map(|validity| CertificateHealth {
                days_left: days_left(&validity, now),
                severity: Urgency::of(&validity, now).severity(),
                name: validity.name,
                not_after: validity.not_after,
            })
        };
        TransportHealth {
            security: self.security.label().into(),
            tls_version: tls_version.map(Into::into),
            certificate: of(own),
            ca: of(authority),
            broker: of(broker),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_in(now: UtcMillis, days: i64) -> Validity {
        let not_after = UtcMillis::from_unix_millis(now.as_unix_millis() + days * DAY_MS + 1);
        Validity { name: None, not_before: UtcMillis::default(), not_after }
    }

    #[test]
    fn the_nearer_a_certificate_s_end_the_more_urgent_it_is() {
        let now = UtcMillis::from_unix_millis(1_800_000_000_000);
        let told = [400, 30, 29, 7, 6, 0, -1].map(|days| {
            let (_, certificates) = watch::channel(Certificates {
                own: Some(ends_in(now, days)),
                broker: Some(ends_in(now, days)),
                ..Certificates::default()
            });
            let transport = Transport { security: Security::Tls, certificates: Some(certificates) };
            let health = transport.health(now).certificate.expect("there is one");
            assert_eq!(health.days_left, days);
            (transport.reasons(now), health.severity)
        });
        let [own, _, broker] = CODES;
        assert_eq!(
            told,
            [
                (vec![], Severity::Info),
                (vec![], Severity::Info),
                (vec![own[0], broker[0]], Severity::Warning),
                (vec![own[0], broker[0]], Severity::Warning),
                (vec![own[1], broker[1]], Severity::High),
                (vec![own[1], broker[1]], Severity::High),
                (vec![own[2], broker[2]], Severity::Critical),
            ]
        );
    }

    #[test]
    fn a_certificate_of_the_future_and_plaintext_are_told() {
        let now = UtcMillis::from_unix_millis(10_000);
        let future = Validity { not_before: UtcMillis::from_unix_millis(20_000), ..ends_in(now, 400) };
        let (_, certificates) = watch::channel(Certificates { authority: Some(future), ..Certificates::default() });
        let transport = Transport { security: Security::Tls, certificates: Some(certificates) };
        assert_eq!(transport.reasons(now), ["ca_not_yet_valid"]);
        let plain = Transport { security: Security::Plaintext, certificates: None };
        assert_eq!((plain.reasons(now), plain.health(now).security.as_ref()), (vec!["plaintext"], "plaintext"));
        let loopback = Transport { security: Security::Loopback, certificates: None };
        assert_eq!(loopback.reasons(now), Vec::<&str>::new());
    }
}

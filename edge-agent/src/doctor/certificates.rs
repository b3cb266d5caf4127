//! Certificates: this box's, the authority's and the broker's, until when they are valid, and whether the name fits.

use std::path::Path;

use super::{Check, Verdict};
use crate::config::{Security, Site};
use crate::publish::wire::UtcMillis;
use crate::publish::{Certificates, TlsParams, Validity};
use crate::status::{Urgency, days_left};

const RENEW: &str = "have it renewed and put the new files in its place; a restart is not needed (docs/transport.md)";
const OF_BROKER: &str = "ask the centre to renew it";

/// What the files hold, and what the broker showed where it was reached.
pub(super) async fn check(site: &Site, broker: Option<&Certificates>, tell: &mut dyn FnMut(Check)) {
    let of_site = site.clone();
    let of_files = tokio::task::spawn_blocking(move || of_files(&of_site)).await;
    of_files.unwrap_or_default().into_iter().for_each(&mut *tell);
    if let Some(validity) = broker.and_then(|certificates| certificates.broker.as_ref()) {
        tell(judged("the broker's", validity, OF_BROKER));
    }
}

/// What the site's certificate files hold. Blocks on the disk.
#[must_use]
pub fn of_files(site: &Site) -> Vec<Check> {
    let (Security::Tls, Some(ca)) = (site.mqtt.security(), &site.mqtt.ca) else { return Vec::new() };
    let params = TlsParams { ca: ca.clone(), client: site.mqtt.identity.clone() };
    let loaded = match params.load() {
        Ok(loaded) => loaded,
        Err(error) => return vec![Check::from_error("certificate", Verdict::Fail, &error)],
    };
    let mut checks = Vec::new();
    match (&site.mqtt.identity, &loaded.own) {
        (Some((path, _)), Some(own)) => {
            checks.push(judged(&format!("this box's ({})", path.display()), own, RENEW));
            checks.extend(stranger(site, path, own));
        }
        _ => checks.push(
            Check::new("certificate", Verdict::Warn, "this box shows none: the broker knows it by a password at best")
                .cure("give it one (mqtt.certificate, mqtt.key): docs/transport.md"),
        ),
    }
    if let Some(authority) = loaded.authority() {
        checks.push(judged(&format!("the authority's ({})", ca.display()), &authority, RENEW));
    }
    checks
}

/// A certificate that the example broker's access list would not let speak for this box.
fn stranger(site: &Site, path: &Path, own: &Validity) -> Option<Check> {
    let wanted = format!("{}/{}", site.id, site.box_id);
    let name = own.name.as_deref().unwrap_or_default();
    (name != wanted).then(|| {
        let found = format!("{} has the common name \"{name}\", not \"{wanted}\"", path.display());
        Check::new("certificate", Verdict::Info, &found)
            .cure("the access list of the example broker goes by site and box: docs/transport.md")
    })
}

fn judged(whose: &str, validity: &Validity, cure: &str) -> Check {
    let now = UtcMillis::now();
    let (until, left) = (validity.not_after.timestamp().strftime("%Y-%m-%d"), days_left(validity, now));
    let name = validity.name.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    match Urgency::of(validity, now) {
        Urgency::None => Check::ok("certificate", &format!("{whose}{name}: valid until {until}, {left} days")),
        Urgency::Soon | Urgency::Now => {
            Check::new("certificate", Verdict::Warn, &format!("{whose}{name}: ends on {until}, in {left} days"))
                .cure(cure)
        }
        Urgency::Expired => {
            Check::new("certificate", Verdict::Fail, &format!("{whose}{name}: expired on {until}")).cure(cure)
        }
        Urgency::NotYet => {
            let found = format!("{whose}{name}: valid only from {}; the clock says {now}", validity.not_before);
            Check::new("certificate", Verdict::Fail, &found).cure("most likely the clock is wrong: chronyc tracking")
        }
    }
}

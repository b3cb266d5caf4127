//! What cannot be changed from afar, whoever asks: who the box is, where it keeps things and for how long, who may look in,
//! what protects the link, what hides people; and no file and no secret may come to be used that is not used in the site file.
//!
//! The frame is the site file, which someone at the box wrote, not what is in force: several small steps lead no further than one.

use std::collections::BTreeSet;

use toml::{Table, Value};
use url::Url;

use crate::config::{Camera, Site};
use crate::privacy::Privacy;

/// Sections and keys that must stay as they are.
const FIXED: [&[&str]; 9] = [
    &["site", "id"],
    &["box", "id"],
    &["mqtt", "root"],
    &["mqtt", "allow_plaintext"],
    &["storage"],
    &["status"],
    &["audit"],
    &["evidence", "privacy"],
    &["evidence", "clips"],
];
/// Keys whose text names a file, a device or a secret.
const REFERENCES: [&str; 9] =
    ["holidays", "ca", "certificate", "device", "file", "env", "credential", "credential_file", "credential_env"];

/// Names of files of the installation.
const NAMES: [&str; 2] = ["pipeline", "hw_profile"];

/// A valid site file, with what it amounts to.
pub(super) type Whole<'a> = (&'a str, &'a Site);

/// Looks at the site file and at what is to stand over it.
///
/// # Errors
/// What of `after` only someone at the box may do.
pub(super) fn refused(file: Whole<'_>, after: Whole<'_>) -> Result<(), String> {
    let table = |text: &str| text.parse::<Table>().map_err(|error| error.to_string());
    let (old, new) = (table(file.0)?, table(after.0)?);
    for path in FIXED {
        if at(&old, path) != at(&new, path) {
            return Err(format!("{} can only be changed on the box", path.join(".")));
        }
    }
    let (known, wanted) = (References::of(&old), References::of(&new));
    if let Some(Reference { key, text, host }) = wanted.0.difference(&known.0).next() {
        return Err(match host {
            Some(host) => {
                format!("{key} = {text:?} is not used for {host} in the site file: it can only be changed there")
            }
            None => format!("{key} = {text:?} is not used in the site file: it can only be changed there"),
        });
    }
    after.1.cameras.iter().try_for_each(|camera| {
        let same: Vec<&Camera> = file.1.cameras.iter().filter(|known| looks_there(known, camera)).collect();
        hides_less(&same, camera).map_or(Ok(()), |what| Err(format!("camera {}: {what} only on the box", camera.id)))
    })
}

/// By its name or by its streams, under whatever name.
fn looks_there(known: &Camera, camera: &Camera) -> bool {
    let places = |camera: &Camera| -> Vec<String> {
        let streams = camera.detect.iter().chain(&camera.record);
        let urls = streams.filter_map(|stream| Some(format!("{}{}", stream.url.host_str()?, stream.url.path())));
        urls.chain(camera.device.iter().map(|device| device.device.display().to_string())).collect()
    };
    known.id == camera.id || places(known).iter().any(|place| places(camera).contains(place))
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

/// What of people would be seen that the site file hides.
fn hides_less(before: &[&Camera], after: &Camera) -> Option<&'static str> {
    if after.privacy != Privacy::Blur && before.iter().all(|before| before.privacy == Privacy::Blur) {
        return Some("pictures can be left unblurred");
    }
    if after.clips.is_some() && before.iter().all(|before| before.clips.is_none()) {
        return Some("clips, in which nothing is blurred, can be allowed");
    }
    let mut masks = before.iter().flat_map(|before| before.masks.polygons());
    masks
        .any(|mask| !after.masks.polygons().contains(mask))
        .then_some("a mask of the site file can be taken away or changed")
}

/// A file, device or secret that is used, and for which host where that host is shown it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    key: String,
    text: String,
    host: Option<String>,
}

struct References(BTreeSet<Reference>);

impl References {
    fn of(table: &Table) -> Self {
        let mut all = Self(BTreeSet::new());
        all.look("", table, None);
        all
    }

    fn look(&mut self, path: &str, table: &Table, host: Option<&str>) {
        let own = table.get("url").and_then(Value::as_str).and_then(host_of);
        let host = own.as_deref().or(host);
        for (key, value) in table {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                Value::String(text) if REFERENCES.contains(&key.as_str()) => {
                    let shown = is_shown(&path).then(|| host.map(str::to_owned)).flatten();
                    self.0.insert(Reference { key: path, text: text.clone(), host: shown });
                }
                Value::String(text) if NAMES.contains(&key.as_str()) && text.contains('/') => {
                    self.0.insert(Reference { key: path, text: text.clone(), host: None });
                }
                Value::Table(inner) => self.look(&path, inner, host),
                Value::Array(items) => {
                    items.iter().filter_map(Value::as_table).for_each(|item| self.look(&path, item, host));
                }
                _ => {}
            }
        }
    }
}

/// Whether the host that is connected to comes to know the secret: passwords, not the keys of certificates.
fn is_shown(path: &str) -> bool {
    path.contains("credential") && !path.starts_with("mqtt.key") || path.contains("password")
}

/// Host and port, as one would connect to it.
fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}{port}", url.host_str()?))
}

//! A site for the loopback cameras: every camera with zones, lines and rules of several kinds.

use std::fmt::Write as _;
use std::path::Path;

use super::TuneError;
use crate::config::{Home, Site, load_site};

/// The site of so many cameras at one address.
pub(super) fn of_loopback(scratch: &Path, home: &Home, (url, cameras): (&url::Url, u32)) -> Result<Site, TuneError> {
    let mut text = String::from(
        "[site]\nid = \"tune\"\nname = { vi = \"Đo\", en = \"Tune\" }\n[box]\nid = \"box\"\n\
         [mqtt]\nurl = \"mqtt://127.0.0.1:9\"\n",
    );
    for number in 0..cameras {
        write!(
            text,
            "[[camera]]\nid = \"cam-{number}\"\nname = {{ vi = \"Máy {number}\", en = \"Camera {number}\" }}\n\
             pipeline = \"traffic-junction\"\ndetect = {{ url = \"{url}\" }}\n{ZONES_AND_RULES}"
        )
        .expect("text");
    }
    let file = scratch.join("site.toml");
    std::fs::write(&file, text).map_err(|error| TuneError::Io { path: file.clone(), error })?;
    Ok(load_site(&file, home)?)
}

const ZONES_AND_RULES: &str = r#"
[camera.line.mid]
points = [[0.5, 0.0], [0.5, 1.0]]
[camera.zone.lawn]
kind = "restricted"
polygon = [[0.0, 0.43], [0.23, 0.48], [0.56, 0.70], [1.0, 0.87], [1.0, 1.0], [0.0, 1.0]]
[camera.zone.path]
kind = "lane"
polygon = [[0.0, 0.25], [1.0, 0.25], [1.0, 0.85], [0.0, 0.45]]
heading = [[0.1, 0.5], [0.9, 0.6]]
[[camera.rule]]
id = "count"
kind = "line-crossing"
line = "mid"
[[camera.rule]]
id = "keep-off"
kind = "intrusion"
zone = "lawn"
[[camera.rule]]
id = "against"
kind = "wrong-way"
zone = "path"
[[camera.rule]]
id = "stopped"
kind = "stopped-vehicle"
zone = "path"
"#;

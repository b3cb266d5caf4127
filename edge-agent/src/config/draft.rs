//! A first site file: what was asked for, as a commented text that an integrator goes on with.

use std::fmt::Write as _;
use std::path::PathBuf;

/// What a first site file is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteDraft {
    /// The junction's id.
    pub id: String,
    /// Its name in Vietnamese and English.
    pub name: (String, String),
    /// IANA name.
    pub timezone: String,
    /// The box's id.
    pub box_id: String,
    /// Name of a hardware profile.
    pub hw_profile: String,
    /// The broker.
    pub broker: BrokerDraft,
    /// Where events wait; `None`: the default.
    pub storage: Option<PathBuf>,
    /// The cameras.
    pub cameras: Vec<CameraDraft>,
}

/// The broker of a first site file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerDraft {
    /// `mqtt://` or `mqtts://`, without log-in.
    pub url: String,
    /// Whether `mqtt://` beyond loopback is accepted.
    pub allow_plaintext: bool,
    /// PEM file of its authorities.
    pub ca: Option<PathBuf>,
    /// User name, and the name of the credential that holds the password.
    pub login: Option<(String, String)>,
}

/// A camera of a first site file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraDraft {
    /// Its id.
    pub id: String,
    /// Its name in Vietnamese and English.
    pub name: (String, String),
    /// `rtsp://`, without log-in.
    pub url: String,
    /// Name of the credential that holds `user:password`.
    pub credential: Option<String>,
    /// Name of a pipeline.
    pub pipeline: String,
}

impl SiteDraft {
    /// The site file's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let storage = self.storage.as_ref().map_or_else(
            || noted("# path = \"/var/lib/ngatu\"", "default"),
            |path| format!("path = {}", quoted(&path.display().to_string())),
        );
        let lines = [
            "# Every key there is, with its default, is in site.example.toml. After a change: edge-agent check FILE"
                .to_owned(),
            "# Passwords are not written here: they are in credentials/ beside this file.".to_owned(),
            String::new(),
            "[site]".to_owned(),
            noted(&format!("id = {}", quoted(&self.id)), "part of every topic"),
            format!("name = {}", names(&self.name)),
            format!("timezone = {}", quoted(&self.timezone)),
            noted("# position = { lon = 106.336, lat = 20.446 }", "WGS 84, for the centre's map"),
            String::new(),
            "[box]".to_owned(),
            format!("id = {}", quoted(&self.box_id)),
            noted(
                &format!("hw_profile = {}", quoted(&self.hw_profile)),
                "what this box can be run with: edge-agent doctor",
            ),
            String::new(),
            "[mqtt]".to_owned(),
            self.broker.to_toml(),
            "[storage]".to_owned(),
            storage,
            noted("# outbox = \"512 MiB\"", "bytes that events may wait in while the link is away"),
        ];
        let mut text = lines.join("\n") + "\n";
        self.cameras.iter().for_each(|camera| text.push_str(&camera.to_toml()));
        text
    }
}

impl BrokerDraft {
    fn to_toml(&self) -> String {
        let mut text = format!("url = {}\n", quoted(&self.url));
        if self.allow_plaintext {
            text.push_str(&noted("allow_plaintext = true", "anyone on the way can read and forge events"));
            text.push('\n');
        }
        if let Some(ca) = &self.ca {
            let ca = format!("ca = {}", quoted(&ca.display().to_string()));
            let lines = [
                noted(&ca, "the authority that signed the broker's certificate"),
                noted("# certificate = \"/etc/ngatu/box.pem\"", "this box's own, where the broker asks for one …"),
                noted("# key = { credential = \"mqtt-key\" }", "… and its private key"),
            ];
            text.push_str(&(lines.join("\n") + "\n"));
        }
        if let Some((user, credential)) = &self.login {
            let _ = writeln!(text, "username = {}", quoted(user));
            let _ = writeln!(text, "password = {{ credential = {} }}", quoted(credential));
        }
        text
    }
}

impl CameraDraft {
    fn to_toml(&self) -> String {
        let credential =
            self.credential.as_ref().map(|name| format!(", credential = {}", quoted(name))).unwrap_or_default();
        format!(
            "
# ---------------------------------------------------------------------------------------------------------------------
[[camera]]
id = {id}
name = {name}
pipeline = {pipeline}
# The stream that is analysed: the camera's sub-stream is enough.
detect = {{ url = {url}{credential} }}

# Points are fractions of the picture, from its top left corner. To read them off:
#   edge-agent site picture FILE {plain_id} -o {plain_id}.jpg
# A line counts who crosses it; left and right are those of one who walks it from the first point to the second.
[camera.line.mid]
points = [[0.5, 0.0], [0.5, 1.0]]

[[camera.rule]]
id = \"dem\"
kind = \"line-crossing\"
line = \"mid\"

# A lane with its allowed way, and who goes against it. Draw it on your picture, then take away the #.
# [camera.zone.lan-1]
# kind = \"lane\"                         # lane, shoulder, crossing, stop, parking, restricted, area
# polygon = [[0.12, 0.98], [0.41, 0.35], [0.52, 0.35], [0.48, 0.98]]
# heading = [[0.30, 0.95], [0.46, 0.36]]
#
# [[camera.rule]]
# id = \"nguoc-chieu\"
# kind = \"wrong-way\"
# zone = \"lan-1\"
",
            id = quoted(&self.id),
            name = names(&self.name),
            pipeline = quoted(&self.pipeline),
            url = quoted(&self.url),
            plain_id = self.id,
        )
    }
}

fn names((vi, en): &(String, String)) -> String {
    format!("{{ vi = {}, en = {} }}", quoted(vi), quoted(en))
}

/// A line with a note behind it, in a column where that is possible.
fn noted(line: &str, note: &str) -> String {
    format!("{line:<38} # {note}")
}

/// A TOML string, whatever is in it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Home, load_site_text};

    fn draft() -> SiteDraft {
        let camera = |id: &str, credential: Option<&str>| CameraDraft {
            id: id.to_owned(),
            name: ("Hướng \"Nam\"".to_owned(), "South \\ tab\t".to_owned()),
            url: "rtsp://192.0.2.11/sub?channel=1&subtype=1".to_owned(),
            credential: credential.map(str::to_owned),
            pipeline: "traffic-junction".to_owned(),
        };
        SiteDraft {
            id: "nut-1".to_owned(),
            name: ("Nút 1".to_owned(), "Junction '1'".to_owned()),
            timezone: "Asia/Ho_Chi_Minh".to_owned(),
            box_id: "box-a".to_owned(),
            hw_profile: "cpu-x86_64".to_owned(),
            broker: BrokerDraft {
                url: "mqtts://broker.example:8883".to_owned(),
                allow_plaintext: false,
                ca: Some("/etc/ngatu/ca.pem".into()),
                login: Some(("box \"a\"".to_owned(), "mqtt-password".to_owned())),
            },
            storage: Some("/tmp/a \"folder\"".into()),
            cameras: vec![camera("nam", Some("cam-nam")), camera("bac", None)],
        }
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in the project")
    }

    #[test]
    fn a_draft_is_a_valid_site_that_says_what_was_asked_for() {
        let text = draft().to_toml();
        let site = load_site_text(Path::new("site.toml"), &text, &Home::at(root())).expect("valid");
        assert_eq!((site.id.as_str(), site.box_id.as_str()), ("nut-1", "box-a"));
        assert_eq!(site.storage.path, Path::new("/tmp/a \"folder\""));
        assert_eq!(site.mqtt.login.as_ref().map(|(user, _)| user.as_str()), Some("box \"a\""));
        let ids: Vec<&str> = site.cameras.iter().map(|camera| camera.id.as_str()).collect();
        assert_eq!(ids, ["nam", "bac"]);
        let name = &site.cameras[0].name;
        assert_eq!((name.vi.as_str(), name.en.as_str()), ("Hướng \"Nam\"", "South \\ tab\t"));
        assert!(site.cameras[0].detect.as_ref().is_some_and(|stream| stream.credentials.is_some()));
        assert!(site.cameras[1].detect.as_ref().is_some_and(|stream| stream.credentials.is_none()));
    }

    #[test]
    fn what_is_commented_out_is_valid_too() {
        let text = draft().to_toml();
        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key) if key.contains(" = ") || key.starts_with('[') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        // The key's credential needs its certificate, and both are there.
        let site =
            load_site_text(Path::new("site.toml"), &uncommented.replace("path = \"/var", "# "), &Home::at(root()));
        let site = site.unwrap_or_else(|errors| panic!("{errors}\n{uncommented}"));
        let ids: Vec<&str> = site.cameras[0].rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids[..2], ["dem", "nguoc-chieu"]);
    }
}

//! Every topic of the contract, from one place.

use analytics::{BoxId, CameraId, Kind, SiteId};
use uuid::Uuid;

use crate::evidence::EvidenceName;

/// A topic root that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("topic root {0:?} is not usable: use 1 to 60 of a-z, 0-9, '-' and '/', without '/' at either end")]
pub struct InvalidRoot(pub String);

/// The part of every topic that the customer may choose; `ngatu` by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRoot(String);

impl Default for TopicRoot {
    fn default() -> Self {
        Self("ngatu".to_owned())
    }
}

impl TopicRoot {
    /// Parses levels of `[a-z0-9-]` joined by single slashes, 60 characters at most.
    pub fn new(root: &str) -> Result<Self, InvalidRoot> {
        let level = |level: &str| {
            !level.is_empty() && level.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if root.len() <= 60 && root.split('/').all(level) {
            Ok(Self(root.to_owned()))
        } else {
            Err(InvalidRoot(root.chars().take(80).collect()))
        }
    }

    /// The root as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where a centre says that it listens.
    #[must_use]
    pub fn host_state(&self, host: &str) -> String {
        format!("{self}/v1/host/{host}/state")
    }

    /// Filter of every box's incidents.
    #[must_use]
    pub fn all_events(&self) -> String {
        format!("{self}/v1/+/+/event/#")
    }

    /// Filter of every box's pictures.
    #[must_use]
    pub fn all_evidence(&self) -> String {
        format!("{self}/v1/+/+/evidence/+/+/+")
    }

    /// Filter of every camera's traffic measures.
    #[must_use]
    pub fn all_measures(&self) -> String {
        format!("{self}/v1/+/+/measure/+")
    }

    /// Filter of every box's answers to commands.
    #[must_use]
    pub fn all_acks(&self) -> String {
        format!("{self}/v1/+/+/ack/+")
    }

    /// Filter of every box's own events.
    #[must_use]
    pub fn all_system(&self) -> String {
        format!("{self}/v1/+/+/system")
    }
}

impl std::fmt::Display for TopicRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The topics of one box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    root: TopicRoot,
    site: SiteId,
    box_id: BoxId,
}

impl Topics {
    /// The topics of `box_id` at `site`.
    #[must_use]
    pub fn new(root: TopicRoot, site: SiteId, box_id: BoxId) -> Self {
        Self { root, site, box_id }
    }

    /// The topics of the box that says `source`; `None` for what no box says.
    #[must_use]
    pub fn of_source(source: &str) -> Option<Self> {
        let mut levels = source.strip_prefix('/')?.rsplitn(3, '/');
        let (box_id, site, root) = (levels.next()?, levels.next()?, levels.next()?);
        Some(Self::new(TopicRoot::new(root).ok()?, SiteId::new(site).ok()?, BoxId::new(box_id).ok()?))
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &TopicRoot {
        &self.root
    }

    /// The site.
    #[must_use]
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// The box.
    #[must_use]
    pub fn box_id(&self) -> &BoxId {
        &self.box_id
    }

    /// The CloudEvents `source` of everything this box says.
    #[must_use]
    pub fn source(&self) -> String {
        format!("/{}/{}/{}", self.root, self.site, self.box_id)
    }

    /// The MQTT client id: stable, so that a broker knows a returning box.
    #[must_use]
    pub fn client_id(&self) -> String {
        format!("ngatu-{}-{}", self.site, self.box_id)
    }

    fn under(&self, tail: std::fmt::Arguments<'_>) -> String {
        format!("{}/v1/{}/{}/{tail}", self.root, self.site, self.box_id)
    }

    /// Retained: what this box is and can do.
    #[must_use]
    pub fn birth(&self) -> String {
        self.under(format_args!("birth"))
    }

    /// Retained: online, stopped or offline (the will).
    #[must_use]
    pub fn status(&self) -> String {
        self.under(format_args!("status"))
    }

    /// Retained: health, every minute and on change.
    #[must_use]
    pub fn health(&self) -> String {
        self.under(format_args!("health"))
    }

    /// Retained: how a camera is.
    #[must_use]
    pub fn camera_status(&self, camera: &CameraId) -> String {
        self.under(format_args!("camera/{camera}/status"))
    }

    /// Incidents of one kind on one camera; never retained.
    #[must_use]
    pub fn event(&self, camera: &CameraId, kind: Kind) -> String {
        self.under(format_args!("event/{camera}/{}", kind.wire_label()))
    }

    /// A piece of an incident's evidence; never retained.
    #[must_use]
    pub fn evidence(&self, camera: &CameraId, incident: Uuid, name: &EvidenceName) -> String {
        self.under(format_args!("evidence/{camera}/{incident}/{name}"))
    }

    /// Traffic measures of one camera; never retained.
    #[must_use]
    pub fn measure(&self, camera: &CameraId) -> String {
        self.under(format_args!("measure/{camera}"))
    }

    /// The box's own events; never retained.
    #[must_use]
    pub fn system(&self) -> String {
        self.under(format_args!("system"))
    }

    /// A command to this box; never retained.
    #[must_use]
    pub fn command(&self, name: &str) -> String {
        self.under(format_args!("cmd/{name}"))
    }

    /// The answer to a command; never retained.
    #[must_use]
    pub fn ack(&self, name: &str) -> String {
        self.under(format_args!("ack/{name}"))
    }

    /// Parts of a file that a command asked for; never retained.
    #[must_use]
    pub fn chunk(&self, command: Uuid) -> String {
        self.under(format_args!("chunk/{command}"))
    }

    /// Lines of the audit log; never retained.
    #[must_use]
    pub fn audit(&self) -> String {
        self.under(format_args!("audit"))
    }

    /// Where `host` says that it listens.
    #[must_use]
    pub fn host_state(&self, host: &str) -> String {
        self.root.host_state(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_has_no_wildcards_and_no_empty_levels() {
        for good in ["ngatu", "tinh-a/ngatu"] {
            assert_eq!(TopicRoot::new(good).expect("valid").as_str(), good);
        }
        for bad in ["", "/", "a//b", "/a", "a/", "a/+", "#", "Ngatu", "$sys", "ngã-tư", &"x".repeat(61)] {
            assert!(TopicRoot::new(bad).is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn topics_are_those_of_the_contract() {
        let topics = Topics::new(
            TopicRoot::default(),
            SiteId::new("ql10-nut-01").expect("valid"),
            BoxId::new("box-a").expect("valid"),
        );
        let camera = CameraId::new("huong-nam").expect("valid");
        assert_eq!(topics.event(&camera, Kind::WrongWay), "ngatu/v1/ql10-nut-01/box-a/event/huong-nam/wrong_way");
        assert_eq!(topics.camera_status(&camera), "ngatu/v1/ql10-nut-01/box-a/camera/huong-nam/status");
        assert_eq!(topics.host_state("ioc"), "ngatu/v1/host/ioc/state");
        assert_eq!(topics.source(), "/ngatu/ql10-nut-01/box-a");
        assert_eq!(Topics::of_source(&topics.source()), Some(topics.clone()));
        for none in ["", "/", "/a/b", "ngatu/a/b", "/ngatu/+/b"] {
            assert_eq!(Topics::of_source(none), None, "{none}");
        }
        assert_eq!(topics.client_id(), "ngatu-ql10-nut-01-box-a");
    }
}

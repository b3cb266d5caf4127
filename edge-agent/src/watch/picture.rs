//! A picture as it comes over the link, and its way to a folder.
//!
//! Whoever may publish chooses the topic, so every level of it is parsed before any of it becomes part of a file's name.

use std::io;
use std::path::{Path, PathBuf};

use analytics::{BoxId, CameraId, SiteId};
use uuid::Uuid;

use crate::evidence::{EvidenceName, MAX_THUMBNAIL_BYTES};
use crate::publish::TopicRoot;

/// A thumbnail of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The junction.
    pub site: SiteId,
    /// The box.
    pub box_id: BoxId,
    /// The camera.
    pub camera: CameraId,
    /// The incident.
    pub incident: Uuid,
    /// Which of its pictures.
    pub name: EvidenceName,
    /// The JPEG as it came.
    pub jpeg: Vec<u8>,
}

impl Picture {
    /// Whether pictures come on this topic.
    pub(super) fn is_topic(root: &TopicRoot, topic: &str) -> bool {
        levels(root, topic).is_some_and(|levels| levels[2] == "evidence")
    }

    /// What came on a picture's topic; what is wrong with it.
    pub(super) fn parse(root: &TopicRoot, topic: &str, payload: &[u8]) -> Result<Self, String> {
        let [site, box_id, _, camera, incident, name] = levels(root, topic).ok_or("no topic of a picture")?;
        let no_id = |error: analytics::id::InvalidId| error.to_string();
        if payload.len() > MAX_THUMBNAIL_BYTES {
            return Err(format!("{} bytes are more than a thumbnail has", payload.len()));
        }
        if !payload.starts_with(&[0xff, 0xd8, 0xff]) {
            return Err("no JPEG".to_owned());
        }
        let incident_id = Uuid::parse_str(incident).ok().filter(|id| id.to_string() == incident);
        Ok(Self {
            site: SiteId::new(site).map_err(no_id)?,
            box_id: BoxId::new(box_id).map_err(no_id)?,
            camera: CameraId::new(camera).map_err(no_id)?,
            incident: incident_id.ok_or("no id of an incident")?,
            name: EvidenceName::parse(name).ok_or("no name of a picture")?,
            jpeg: payload.to_vec(),
        })
    }

    /// Writes it into `folder` as `{site}_{box}_{incident}_{name}`, whole or not at all; where.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn save(&self, folder: &Path) -> io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let Self { site, box_id, incident, name, .. } = self;
        let path = folder.join(format!("{site}_{box_id}_{incident}_{name}"));
        let unfinished = path.with_extension("part");
        std::fs::write(&unfinished, &self.jpeg)?;
        std::fs::rename(&unfinished, &path)?;
        Ok(path)
    }
}

fn levels<'a>(root: &TopicRoot, topic: &'a str) -> Option<[&'a str; 6]> {
    let rest = topic.strip_prefix(root.as_str())?.strip_prefix("/v1/")?;
    let levels: Vec<&str> = rest.split('/').collect();
    levels.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCIDENT: &str = "01a201f2-b2ff-7c10-8a01-0b1c2d3e4f50";
    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xd9];

    fn parse(tail: &str, payload: &[u8]) -> Result<Picture, String> {
        Picture::parse(&TopicRoot::default(), &format!("ngatu/v1/{tail}"), payload)
    }

    #[test]
    fn a_picture_is_saved_under_a_name_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let picture = parse(&format!("nut/box-a/evidence/nam/{INCIDENT}/1.jpg"), JPEG).expect("valid");
        let into = folder.path().join("new/folder");
        let path = picture.save(&into).expect("writes");
        assert_eq!(path, into.join(format!("nut_box-a_{INCIDENT}_1.jpg")));
        assert_eq!(std::fs::read(&path).expect("reads"), JPEG);
        assert_eq!(picture.save(&into).expect("writes again"), path);
        assert_eq!(std::fs::read_dir(&into).expect("lists").count(), 1);
    }

    #[test]
    fn a_hostile_topic_is_no_picture() {
        let upper = INCIDENT.to_uppercase();
        let braced = format!("{{{INCIDENT}}}");
        let hostile = [
            ["..", "box-a", "nam", INCIDENT, "1.jpg"],
            ["nut", "..", "nam", INCIDENT, "1.jpg"],
            ["nut", "box-a", "..", INCIDENT, "1.jpg"],
            ["nut", "box-a", "nam", "..", "1.jpg"],
            ["nut", "box-a", "nam", &upper, "1.jpg"],
            ["nut", "box-a", "nam", &braced, "1.jpg"],
            ["nut", "box-a", "nam", INCIDENT, ".."],
            ["nut", "box-a", "nam", INCIDENT, "..\\..\\x.jpg"],
            ["nut", "box-a", "nam", INCIDENT, ".jpg"],
            ["nut", "box-a", "nam", INCIDENT, "1.jpg\0"],
            ["nut", "box-a", "nam", INCIDENT, "authorized_keys"],
            ["", "box-a", "nam", INCIDENT, "1.jpg"],
        ];
        for [site, box_id, camera, incident, name] in hostile {
            let tail = format!("{site}/{box_id}/evidence/{camera}/{incident}/{name}");
            assert!(parse(&tail, JPEG).is_err(), "{tail}");
        }
        for tail in [format!("nut/box-a/evidence/nam/{INCIDENT}/../1.jpg"), "nut/box-a/evidence".to_owned()] {
            assert!(parse(&tail, JPEG).is_err() && !Picture::is_topic(&TopicRoot::default(), &tail), "{tail}");
        }
    }

    #[test]
    fn what_is_no_thumbnail_is_no_picture() {
        let tail = format!("nut/box-a/evidence/nam/{INCIDENT}/1.jpg");
        assert!(parse(&tail, b"").is_err() && parse(&tail, b"<html>").is_err());
        let mut large = JPEG.to_vec();
        large.resize(MAX_THUMBNAIL_BYTES, 0);
        assert!(parse(&tail, &large).is_ok());
        large.push(0);
        assert!(parse(&tail, &large).is_err());
    }
}

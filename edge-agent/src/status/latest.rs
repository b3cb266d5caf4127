//! What was seen and found last, kept for whoever looks: nobody waits for it, and it costs nothing until it is read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use analytics::{Detection, Scene};

use crate::frame::Picture;
use crate::outbox::Draft;
use crate::publish::wire::Incident;

/// Incidents that are kept.
const RECENT: usize = 50;

/// An analysed picture, and what was seen in it.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The picture.
    pub picture: Arc<Picture>,
    /// The tracks in it.
    pub scene: Scene,
    /// What was detected in it.
    pub detections: Vec<Detection>,
}

/// A camera's last shot. A new one replaces it; its pixels are shared, never copied.
#[derive(Debug, Default)]
pub struct LatestScene(Mutex<Option<Shot>>);

impl LatestScene {
    /// Replaces it; what was seen before, for its memory.
    pub(crate) fn set(&self, shot: Shot) -> Option<(Scene, Vec<Detection>)> {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(shot);
        // Not under the lock: this may give a buffer back to the decoder.
        before.map(|before| (before.scene, before.detections))
    }

    /// The last shot; `None` before the first.
    #[must_use]
    pub fn get(&self) -> Option<Shot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The newest event of each of the last incidents that were committed since start, of all cameras.
#[derive(Debug, Default)]
pub struct RecentIncidents(Mutex<VecDeque<Recent>>);

/// An incident's newest event, one of a commit that is kept as it is.
#[derive(Debug, Clone)]
struct Recent {
    drafts: Arc<[Draft]>,
    index: usize,
    /// Names of the pictures that any of its events announced.
    pictures: Arc<[String]>,
}

impl Recent {
    fn event(&self) -> &Incident {
        self.drafts[self.index].event()
    }
}

impl RecentIncidents {
    /// Takes note of what was committed.
    pub(crate) fn note(&self, drafts: &Arc<[Draft]>) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for index in 0..drafts.len() {
            let data = &drafts[index].event().data;
            let known = recent.iter_mut().find(|known| known.event().data.incident_id == data.incident_id);
            let announced = data.evidence.iter().map(|piece| piece.name.clone());
            let before = known.as_ref().into_iter().flat_map(|known| known.pictures.iter().cloned());
            let new = Recent { drafts: Arc::clone(drafts), index, pictures: before.chain(announced).collect() };
            match known {
                // A camera's events are committed in their order.
                Some(known) => *known = new,
                None => recent.push_back(new),
            }
        }
        while recent.len() > RECENT {
            recent.pop_front();
        }
    }

    /// They, and the names of their pictures, in the order in which they came up, the newest first.
    pub fn with<T>(&self, mut read: impl FnMut(&Incident, &[String]) -> T) -> Vec<T> {
        // Reading takes longer than a stage may be kept waiting.
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        recent.iter().rev().map(|recent| read(recent.event(), &recent.pictures)).collect()
    }
}

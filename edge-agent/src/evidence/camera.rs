//! One camera's side of evidence: what it announces with an incident, and hands over once that is committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::Severity;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::clip::{ClipJob, ClipParams};
use super::counters::EvidenceCounters;
use super::picture::{PictureJob, RecordMoment};
use super::{EvidenceName, Failure};
use crate::config::Places;
use crate::frame::Picture;
use crate::outbox::{Draft, Outcome};
use crate::privacy::{self, Known, Masks, Redaction};
use crate::publish::wire::{Evidence, Incident, Phase};
use crate::record::{Ring, Wanted};
use crate::status::Shot;

/// Clips of one camera that may wait for their end at once; with more, one is `busy`. They share what the ring holds, so they
/// cost no memory each.
const CLIPS_AT_ONCE: usize = 4;

/// What is held of a camera's full-size stream, and how a moment of it is decoded.
#[derive(Debug, Clone)]
pub struct RecordStills {
    /// The stream's last seconds.
    pub ring: Arc<Ring>,
    /// What hides parts of its pictures, once they are decoded: the ring has them as they came.
    pub masks: Masks,
    /// Decoders of H.264, preferred first.
    pub h264: Vec<String>,
    /// The same of H.265.
    pub h265: Vec<String>,
}

/// What a camera's evidence is made from.
#[derive(Debug, Clone)]
pub struct OfCamera {
    /// The least severity that is photographed; `None`: nothing is.
    pub snapshots_from: Option<Severity>,
    /// Which clips are kept; `None`: none. Only with `record`.
    pub clips: Option<ClipParams>,
    /// Its full-size stream, if it has one.
    pub record: Option<RecordStills>,
    /// Its zones and lines.
    pub places: Places,
    /// What is done to its pictures before they are kept.
    pub redaction: Redaction,
    /// Whether parts of its picture are masked: then there are no clips, for those are not decoded.
    pub is_masked: bool,
}

/// A piece that is announced, and made once [`send`](Ordered::send) says that its event is committed.
#[derive(Debug)]
pub struct Ordered(Order);

#[derive(Debug)]
enum Order {
    Picture(mpsc::OwnedPermit<PictureJob>, Box<PictureJob>),
    Clip(mpsc::OwnedPermit<ClipJob>, ClipJob),
}

impl Ordered {
    /// Hands it to the thread; its place in the queue was taken before.
    pub fn send(self) {
        match self.0 {
            Order::Picture(place, job) => drop(place.send(*job)),
            Order::Clip(place, job) => drop(place.send(job)),
        }
    }
}

/// How one camera's incidents are photographed and filmed.
#[derive(Debug, Clone)]
pub struct CameraEvidence {
    snapshots_from: Option<Severity>,
    clips: Option<ClipParams>,
    record: Option<Arc<RecordStills>>,
    places: Arc<Places>,
    redaction: Redaction,
    is_masked: bool,
    pictures: mpsc::Sender<PictureJob>,
    clip_jobs: mpsc::Sender<ClipJob>,
    clip_turns: Arc<Semaphore>,
    counters: Arc<EvidenceCounters>,
}

impl CameraEvidence {
    pub(super) fn new(
        of: OfCamera,
        pictures: mpsc::Sender<PictureJob>,
        clip_jobs: mpsc::Sender<ClipJob>,
        counters: Arc<EvidenceCounters>,
    ) -> Self {
        let OfCamera { snapshots_from, clips, record, places, redaction, is_masked } = of;
        Self {
            snapshots_from,
            clips,
            record: record.map(Arc::new),
            places: Arc::new(places),
            redaction,
            is_masked,
            pictures,
            clip_jobs,
            clip_turns: Arc::new(Semaphore::new(CLIPS_AT_ONCE)),
            counters,
        }
    }

    /// Announces a picture and a clip with every incident that begins and is severe enough; what to send once they are
    /// committed. `arrived_at` is the frame's that `picture` is of, and `known` what was seen in it or is expected there. Never
    /// waits.
    #[must_use]
    pub fn announce(
        &self,
        drafts: &mut [Draft],
        picture: &Arc<Picture>,
        arrived_at: Instant,
        known: impl Fn() -> Vec<Known>,
    ) -> Vec<Ordered> {
        let mut ordered = Vec::new();
        for draft in drafts.iter_mut().filter(|draft| draft.event().data.phase == Phase::New) {
            let severity = Severity::from(draft.event().data.severity);
            // The clip first: both are made from the event as it is without them.
            let clip =
                self.clips.filter(|clips| severity >= clips.from).map(|clips| self.clip(draft, clips, arrived_at));
            let is_photographed = self.snapshots_from.is_some_and(|from| severity >= from);
            let shot = is_photographed.then(|| self.picture(draft, picture, arrived_at, known()));
            let shot = shot.map(|order| (self.pending_snapshot(), snapshot_name(), order));
            let clip = clip.map(|order| (Evidence::pending_clip(&clip_name()), clip_name(), order));
            for (mut evidence, name, order) in shot.into_iter().chain(clip) {
                match order {
                    Ok(order) => ordered.push(Ordered(order)),
                    Err(failure) => {
                        evidence.fail(failure.word().to_owned());
                        self.counters.ended(&name, Some(failure));
                    }
                }
                draft.announce(evidence);
            }
        }
        ordered
    }

    fn pending_snapshot(&self) -> Evidence {
        Evidence::pending_snapshot(&snapshot_name()).made_private(self.redaction.privacy(), self.is_masked)
    }

    fn picture(
        &self,
        draft: &Draft,
        picture: &Arc<Picture>,
        arrived_at: Instant,
        known: Vec<Known>,
    ) -> Result<Order, Failure> {
        let place = self.pictures.clone().try_reserve_owned().map_err(|_| Failure::Busy)?;
        let record = self.record.as_ref().map(|record| RecordMoment::new(Arc::clone(record), arrived_at));
        let job = PictureJob {
            event: draft.event().clone(),
            name: snapshot_name(),
            picture: Arc::clone(picture),
            places: Arc::clone(&self.places),
            redaction: self.redaction.clone(),
            known,
            record,
            asked: None,
        };
        Ok(Order::Picture(place, Box::new(job)))
    }

    /// Orders a picture that somebody asked for, of what was just seen, by the same rules as an incident's; `done` is told
    /// what became of it, and dropped where too much waits already. Never waits.
    pub fn photograph(
        &self,
        event: Incident,
        name: EvidenceName,
        shot: &Shot,
        arrived_at: Instant,
        done: oneshot::Sender<Outcome>,
    ) {
        let record = self.record.as_ref().map(|record| RecordMoment::new(Arc::clone(record), arrived_at));
        let (picture, places) = (Arc::clone(&shot.picture), Arc::clone(&self.places));
        let known = privacy::known(&shot.scene, &shot.detections);
        let redaction = self.redaction.clone();
        let job = PictureJob { event, name, picture, places, redaction, known, record, asked: Some(done) };
        // Full: the sender in it is dropped, which says so.
        let _ = self.pictures.try_send(job);
    }

    fn clip(&self, draft: &Draft, clips: ClipParams, arrived_at: Instant) -> Result<Order, Failure> {
        if self.is_masked {
            return Err(Failure::Masked);
        }
        let ring = &self.record.as_ref().ok_or(Failure::NoStream)?.ring;
        if !ring.shows(arrived_at) {
            return Err(Failure::NoStream);
        }
        let turn = Arc::clone(&self.clip_turns).try_acquire_owned().map_err(|_| Failure::Busy)?;
        let place = self.clip_jobs.clone().try_reserve_owned().map_err(|_| Failure::Busy)?;
        let event = draft.event();
        let before_ms = event.time.as_unix_millis() - event.data.started_at.as_unix_millis();
        let wanted: Wanted = clips.wanted(arrived_at, Duration::from_millis(u64::try_from(before_ms).unwrap_or(0)));
        let job =
            ClipJob { incident: event.data.incident_id, name: clip_name(), pin: ring.pin(wanted.from), wanted, turn };
        Ok(Order::Clip(place, job))
    }
}

fn snapshot_name() -> EvidenceName {
    EvidenceName::snapshot(1)
}

fn clip_name() -> EvidenceName {
    EvidenceName::clip(1)
}

//! Recorded tracks in, incidents out: what the rules of a site file make of days that are over, in seconds.
//!
//! Judged as by `run`, from the tracker's scenes on: stitching, rules, incidents. Every session of the program is judged for
//! itself: an incident that was open over a restart counts as two, whatever the thresholds.

use analytics::core::Judge;
use analytics::incident::{IncidentParams, Withheld};
use analytics::record::Playback;
use analytics::rules::RuleSpec;
use analytics::{Event, MediaTime, WallTime};

use super::ReplayError;
use crate::camera::RateMeter;
use crate::config::{Camera, Site};
use crate::publish::wire::UtcMillis;
use crate::tracks::{Kept, TracksError, TracksReader};

/// What was judged of one moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// An event.
    Event {
        /// What happened.
        event: Event,
        /// See [`Moment::analysed_fps`](crate::publish::wire::Moment::analysed_fps).
        analysed_fps: f64,
    },
    /// What a storm withheld.
    Withheld(Withheld),
}

/// Told what was judged, in order.
type Told<'a> = dyn FnMut(Judged) -> std::io::Result<()> + 'a;

/// How much was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Watched {
    /// Scenes.
    pub scenes: u64,
    /// Those of an earlier version, which hold no signals and not where the camera looked.
    pub without_state: u64,
    /// Seconds of media time from the first to the last scene of each session.
    pub media_s: f64,
}

/// Judges what is kept of a camera within `span` by the rules that `site` has for it.
///
/// # Errors
/// The tracks cannot be read.
pub fn rejudge(
    site: &Site,
    camera: &Camera,
    tracks: &TracksReader,
    span: [WallTime; 2],
    judged: &mut Told<'_>,
) -> Result<Watched, ReplayError> {
    let mut session: Option<Session<'_>> = None;
    let mut watched = Watched::default();
    tracks.chunks(&camera.id, span, |kept: Kept| -> Result<(), ReplayError> {
        if let Some(over) = session.take_if(|session| session.number != kept.session) {
            over.finish(&mut watched, judged)?;
        }
        let session = session.get_or_insert_with(|| Session::new(site, camera, kept.session));
        session.judge(&kept, span, judged)
    })?;
    if let Some(over) = session {
        over.finish(&mut watched, judged)?;
    }
    Ok(watched)
}

struct Session<'a> {
    number: i64,
    site: &'a Site,
    camera: &'a Camera,
    judge: Judge,
    rate: RateMeter,
    scenes: u64,
    without_state: u64,
    seen: Option<[MediaTime; 2]>,
}

impl<'a> Session<'a> {
    fn new(site: &'a Site, camera: &'a Camera, number: i64) -> Self {
        // The session's number as seed: ids repeat with the tracks.
        let seed = number.cast_unsigned();
        // There is no picture to judge the camera itself by, or to find things in; where it looked was recorded.
        let is_of_tracks = |rule: &&RuleSpec| rule.params.camera_fault().is_none() && !rule.params.is_of_stills();
        let of_places = camera.rules.iter().filter(is_of_tracks).cloned();
        let judge = Judge::new(of_places.collect(), IncidentParams::default(), seed);
        let judge = judge.on_ground(camera.places.ground.clone());
        Self { number, site, camera, judge, rate: RateMeter::default(), scenes: 0, without_state: 0, seen: None }
    }

    fn judge(&mut self, kept: &Kept, [from, until]: [WallTime; 2], judged: &mut Told<'_>) -> Result<(), ReplayError> {
        let calendar = self.site.calendar();
        let damaged = |damage| TracksError::Damaged {
            camera: self.camera.id.clone(),
            began: UtcMillis::from(kept.began).to_string(),
            damage,
        };
        let scenes = Playback::new(self.camera.id.clone(), &kept.bytes).map_err(damaged)?;
        let without_state = u64::from(!scenes.has_state());
        for scene in scenes {
            let mut scene = scene.map_err(damaged)?;
            let captured_at = scene.stamp.captured_at;
            if captured_at < from || captured_at > until {
                continue;
            }
            let now = scene.stamp.pts;
            self.rate.tick(now);
            self.scenes += 1;
            self.without_state += without_state;
            self.seen = Some([self.seen.map_or(now, |[first, _]| first), now]);
            let local = calendar.local(captured_at);
            let events = self.judge.step(&mut scene, local);
            self.tell(events, judged)?;
        }
        Ok(())
    }

    fn finish(mut self, watched: &mut Watched, judged: &mut Told<'_>) -> Result<(), ReplayError> {
        watched.scenes += self.scenes;
        watched.without_state += self.without_state;
        watched.media_s += self.seen.map_or(0.0, |[first, last]| last.since(first).as_secs_f64());
        let events = self.judge.finish();
        self.tell(events, judged)?;
        Ok(())
    }

    fn tell(&mut self, events: Vec<Event>, judged: &mut Told<'_>) -> std::io::Result<()> {
        for event in events {
            judged(Judged::Event { event, analysed_fps: self.rate.fps() })?;
        }
        self.judge.take_withheld().into_iter().try_for_each(|withheld| judged(Judged::Withheld(withheld)))
    }
}

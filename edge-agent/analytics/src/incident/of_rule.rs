//! The incidents of one rule.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

use super::cooldown::Cooldown;
use super::ids::Ids;
use super::storm::{Buckets, Withheld};
use super::view::{Sighting, see};
use super::{IncidentParams, OpenIncident};
use crate::class::Class;
use crate::event::{Event, Phase};
use crate::finding::{Direction, Finding, Measure, RuleInfo, Shape, Subject};
use crate::geometry::BBox;
use crate::kind::{Kind, Severity};
use crate::scene::{PathPoint, Scene, Track, TrackId};
use crate::stitch::heights_apart;
use crate::time::{FrameStamp, MediaTime, WallTime};

/// An object found again after a restart is no further from its place than this, in box heights: standing ones are
/// where they were, people on foot have gone a step or two.
const RESTORED_NEAR: f64 = 1.0;

/// Tracks that join make an `update` at most this often: a crowd changes with every frame.
pub(super) const JOINED_EVERY: Duration = Duration::from_secs(5);

/// Vehicles that are found standing in one zone within this are one incident.
const TOGETHER: Duration = Duration::from_secs(5);

/// One incident, open unless it is a pulse's.
#[derive(Debug)]
struct Incident {
    id: Uuid,
    revision: u32,
    started_at: WallTime,
    /// A moment by both clocks. The times of one incident are all told from it by media time: however the calendar clock is
    /// set meanwhile, it lasts as long as it lasted.
    anchor: (MediaTime, WallTime),
    /// When it was last found: for the debounce, and for `ended_at`.
    found: MediaTime,
    found_at: WallTime,
    /// When it was opened; `None` when that was before a restart.
    opened: Option<MediaTime>,
    /// When its last event was made; `None` when that was before a restart.
    told: Option<MediaTime>,
    /// Who was involved when it was last found, and as last told; by ascending id.
    involved: Vec<TrackId>,
    told_involved: Vec<TrackId>,
    tracks: Vec<Sighting>,
    region: Option<BBox>,
    measured: Vec<Measure>,
    /// The most it was found to be, and as last told.
    severity: Severity,
    told_severity: Severity,
    direction: Option<Direction>,
    is_pulse: bool,
    /// Findings of other rules that belong to it: how many so far, and those about objects that are still there.
    absorbed: Vec<Measure>,
    absorbed_now: BTreeSet<(&'static str, Subject)>,
}

impl Incident {
    fn new(id: Uuid, scene: &Scene, finding: &Finding, rule: &RuleInfo) -> Self {
        let FrameStamp { pts, captured_at, .. } = scene.stamp;
        let (started_at, is_pulse) = match finding.shape {
            Shape::Level { since } => (captured_at - pts.since(since), false),
            Shape::Pulse => (captured_at, true),
        };
        let severity = finding.severity.unwrap_or(rule.severity);
        let mut incident = Self::unfound(id, started_at, (pts, captured_at), severity);
        incident.is_pulse = is_pulse;
        incident.find(scene, finding, rule);
        incident
    }

    /// One that an earlier session left open; it has until `end_after` from the first scene to be found.
    fn restored(open: &OpenIncident, first: &FrameStamp) -> Self {
        // A box that wakes in 1970 does not undo what it told before.
        let known = open.last_event_at.max(open.started_at);
        let anchor = (first.pts, first.captured_at.max(known));
        let incident = Self::unfound(open.incident_id, open.started_at, anchor, open.rule.severity);
        Self { revision: open.revision, found_at: known, ..incident }
    }

    fn unfound(id: Uuid, started_at: WallTime, anchor: (MediaTime, WallTime), severity: Severity) -> Self {
        Self {
            id,
            revision: 0,
            started_at,
            anchor,
            found: anchor.0,
            found_at: started_at,
            opened: None,
            told: None,
            involved: Vec::new(),
            told_involved: Vec::new(),
            tracks: Vec::new(),
            region: None,
            measured: Vec::new(),
            severity,
            told_severity: severity,
            direction: None,
            is_pulse: false,
            absorbed: Vec::new(),
            absorbed_now: BTreeSet::new(),
        }
    }

    fn find(&mut self, scene: &Scene, finding: &Finding, rule: &RuleInfo) {
        let (media, wall) = self.anchor;
        (self.found, self.found_at) = (scene.stamp.pts, wall + scene.stamp.pts.since(media));
        self.involved.clone_from(&finding.tracks);
        see(&mut self.tracks, scene, finding);
        if let Subject::Still(id) = finding.subject {
            self.region = scene.still(id).map(|still| still.bbox).or(self.region);
        }
        self.measured.clone_from(&finding.measured);
        self.measured.extend(&self.absorbed);
        self.severity = self.severity.max(finding.severity.unwrap_or(rule.severity));
        self.direction = finding.direction;
    }

    /// Counts a finding of another rule, once while its object is there; told with the next event.
    fn absorb(&mut self, name: &'static str, subject: Subject) {
        if !self.absorbed_now.insert((name, subject)) {
            return;
        }
        for measures in [&mut self.absorbed, &mut self.measured] {
            match measures.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1.0,
                None => measures.push((name, 1.0)),
            }
        }
    }

    /// Whether an operator should hear of it again. Who is in a jam or a queue changes all the time: that is no news.
    fn has_news(&self, rule: &RuleInfo, params: &IncidentParams, now: MediaTime) -> bool {
        let Some(told) = self.told else { return true };
        let age = now.since(told);
        let tells_joins = !matches!(rule.kind, Kind::Congestion | Kind::QueueSpillback);
        let joined = tells_joins && self.involved.iter().any(|track| self.told_involved.binary_search(track).is_err());
        let graver = self.severity > self.told_severity;
        graver || (joined && age >= JOINED_EVERY) || (!params.update_every.is_zero() && age >= params.update_every)
    }

    /// Makes its next event.
    fn tell(&mut self, phase: Phase, rule: &RuleInfo, suppressed: u32, stamp: &FrameStamp, ids: &mut Ids) -> Event {
        self.revision += 1;
        self.told = Some(stamp.pts);
        self.told_involved.clone_from(&self.involved);
        self.told_severity = self.severity;
        let is_over = phase == Phase::End || self.is_pulse;
        Event {
            id: ids.next(stamp),
            incident_id: self.id,
            phase,
            revision: self.revision,
            stamp: stamp.clone(),
            started_at: self.started_at,
            ended_at: is_over.then_some(self.found_at),
            rule: rule.clone(),
            severity: self.severity,
            direction: self.direction,
            tracks: self.tracks.iter().map(|track| track.view(stamp.pts)).collect(),
            region: self.region,
            measured: self.measured.clone(),
            suppressed,
        }
    }
}

/// One that an earlier session left open and that was not found again yet.
#[derive(Debug)]
struct Unbound {
    about_zone: bool,
    tracks: Vec<(Class, BBox)>,
    incident: Incident,
}

impl Unbound {
    /// The subject in this scene that it is about, and how far that is from where it was.
    fn subjects(&self, scene: &Scene) -> Vec<(f64, Subject)> {
        if self.about_zone {
            return vec![(0.0, Subject::Zone)];
        }
        let seen = scene.seen().filter(|track| !has_come(track, scene.aspect));
        seen.filter_map(|track| Some((self.heights_to(track, scene.aspect)?, Subject::Track(track.id)))).collect()
    }

    /// Whether an earlier session knew it to stand where it was, and this one has not seen it yet.
    fn is_out_of_sight(&self, scene: &Scene) -> bool {
        let unseen = scene.parked.iter().filter(|thing| thing.track.is_none());
        unseen.into_iter().any(|thing| self.heights_apart((thing.class, thing.bbox), scene.aspect).is_some())
    }

    fn heights_to(&self, track: &Track, aspect: f32) -> Option<f64> {
        self.heights_apart((track.class, track.bbox), aspect)
    }

    fn heights_apart(&self, found: (Class, BBox), aspect: f32) -> Option<f64> {
        let apart = self.tracks.iter().filter_map(|old| heights_apart(*old, found, aspect));
        apart.min_by(f64::total_cmp).filter(|heights| *heights <= RESTORED_NEAR)
    }
}

/// Whether it came to where it is in this session: then it is not what was there before.
fn has_come(track: &Track, aspect: f32) -> bool {
    let came = |first: &PathPoint| first.point.distance(track.bbox.bottom_center(), aspect) / track.bbox.height();
    track.path.first().is_some_and(|first| f64::from(came(first)) > RESTORED_NEAR)
}

/// The incidents of one rule.
#[derive(Debug)]
pub(super) struct OfRule {
    pub(super) info: RuleInfo,
    open: BTreeMap<Subject, Incident>,
    /// Objects that share another one's incident, and that one's.
    joined: BTreeMap<Subject, Subject>,
    unbound: Vec<Unbound>,
    cooldown: Cooldown,
}

impl OfRule {
    pub(super) fn new(info: RuleInfo) -> Self {
        Self {
            info,
            open: BTreeMap::new(),
            joined: BTreeMap::new(),
            unbound: Vec::new(),
            cooldown: Cooldown::default(),
        }
    }

    /// Takes up one that an earlier session left open.
    pub(super) fn restore(&mut self, open: OpenIncident, first: &FrameStamp) {
        let incident = Incident::restored(&open, first);
        self.unbound.push(Unbound { about_zone: open.about_zone, tracks: open.tracks, incident });
    }

    /// Of what an incident is open.
    pub(super) fn subjects(&self) -> impl Iterator<Item = Subject> {
        self.open.keys().chain(self.joined.keys()).copied()
    }

    /// Counts what another rule found with the incident about the zone, if there is one and someone of it is in that.
    pub(super) fn absorb(&mut self, name: &'static str, finding: &Finding) -> bool {
        let is_in = |jam: &&mut Incident| finding.tracks.iter().any(|track| jam.involved.binary_search(track).is_ok());
        let jam = self.open.get_mut(&Subject::Zone).filter(is_in);
        jam.map(|jam| jam.absorb(name, finding.subject)).is_some()
    }

    /// Folds what the rule found in one scene; events by subject.
    pub(super) fn update(
        &mut self,
        scene: &Scene,
        findings: &[Finding],
        params: &IncidentParams,
        ids: &mut Ids,
        buckets: &mut Buckets,
    ) -> Vec<Event> {
        self.bind(scene);
        let mut events: Vec<(Subject, Event)> = Vec::new();
        for finding in &*self.bundled(findings, scene.stamp.pts) {
            events.extend(self.fold(scene, finding, params, ids, buckets).map(|event| (finding.subject, event)));
        }
        for incident in self.open.values_mut() {
            let is_gone = |subject: &Subject| matches!(subject, Subject::Track(id) if scene.ended.contains(id));
            incident.absorbed_now.retain(|(_, subject)| !is_gone(subject));
        }
        self.cooldown.forget(scene.stamp.pts, params.end_after);
        for (subject, mut incident) in self.close(scene, params.end_after) {
            let suppressed = self.cooldown.tell();
            events.push((subject, incident.tell(Phase::End, &self.info, suppressed, &scene.stamp, ids)));
        }
        events.sort_by_key(|(subject, _)| *subject);
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// What a storm withheld and no event has told of for `after`.
    pub(super) fn overdue(&mut self, stamp: &FrameStamp, after: Duration, ids: &mut Ids) -> Option<Withheld> {
        let count = self.cooldown.overdue(stamp.pts, after)?;
        Some(Withheld { id: ids.next(stamp), stamp: stamp.clone(), rule: self.info.clone(), count })
    }

    /// Ends all that is open: the rule is not armed.
    pub(super) fn disarm(&mut self, scene: &Scene, ids: &mut Ids) -> Vec<Event> {
        self.cooldown.forget(scene.stamp.pts, Duration::ZERO);
        self.finish(&scene.stamp, ids)
    }

    /// Ends all that is open.
    pub(super) fn finish(&mut self, stamp: &FrameStamp, ids: &mut Ids) -> Vec<Event> {
        let unbound = self.unbound.drain(..).map(|unbound| unbound.incident);
        let open = std::mem::take(&mut self.open).into_values();
        self.joined.clear();
        open.chain(unbound)
            .map(|mut incident| incident.tell(Phase::End, &self.info, self.cooldown.tell(), stamp, ids))
            .collect()
    }

    /// Takes out what was not found for `end_after`.
    fn close(&mut self, scene: &Scene, end_after: Duration) -> Vec<(Subject, Incident)> {
        let now = scene.stamp.pts;
        let is_over = |incident: &Incident| now > incident.found && now.since(incident.found) >= end_after;
        // One that is out of sight waits: its track, or what is known of what stands, says when it is given up.
        let is_lost = |subject: &Subject| match subject {
            Subject::Track(id) => scene.is_out_of_sight(*id),
            Subject::Still(_) | Subject::Zone => false,
        };
        let never_found =
            self.unbound.extract_if(.., |unbound| is_over(&unbound.incident) && !unbound.is_out_of_sight(scene));
        let joined = &self.joined;
        let waits = |of: &Subject| joined.iter().any(|(member, leader)| leader == of && is_lost(member));
        let over = self.open.extract_if(.., |of, incident| is_over(incident) && !is_lost(of) && !waits(of));
        let closed: Vec<_> = never_found.map(|unbound| (Subject::Zone, unbound.incident)).chain(over).collect();
        let open = &self.open;
        self.joined.retain(|_, leader| open.contains_key(leader));
        closed
    }

    /// The findings with those that share an incident made one: vehicles that stop in one zone within [`TOGETHER`] stop
    /// for one reason.
    fn bundled<'f>(&mut self, findings: &'f [Finding], now: MediaTime) -> Cow<'f, [Finding]> {
        if self.info.kind != Kind::StoppedVehicle {
            return findings.into();
        }
        let mut bundled: Vec<Finding> = Vec::new();
        for finding in findings {
            let leader = self.leader(finding, &bundled, now);
            if leader != finding.subject {
                self.joined.insert(finding.subject, leader);
            }
            match bundled.iter_mut().find(|known| known.subject == leader) {
                Some(known) => {
                    known.tracks.extend(&finding.tracks);
                    known.tracks.sort_unstable();
                    let own = self.info.severity;
                    known.severity = Some(known.severity.unwrap_or(own).max(finding.severity.unwrap_or(own)));
                }
                None => bundled.push(Finding { subject: leader, ..finding.clone() }),
            }
        }
        bundled.into()
    }

    /// Whose incident a finding belongs to: its own, or that of one that opened a moment ago, in this scene perhaps.
    fn leader(&self, finding: &Finding, bundled: &[Finding], now: MediaTime) -> Subject {
        let own = finding.subject;
        if self.open.contains_key(&own) {
            return own;
        }
        if let Some(leader) = self.joined.get(&own).filter(|leader| self.open.contains_key(leader)) {
            return *leader;
        }
        // A lesser case is another thing: what stood at the start has nothing to do with who stops now.
        let severity = |finding: &Finding| finding.severity.unwrap_or(self.info.severity);
        let fresh = self.open.iter().filter(|(_, incident)| {
            incident.opened.is_some_and(|at| now.since(at) <= TOGETHER) && incident.severity == severity(finding)
        });
        let alike = |known: &&Finding| !self.open.contains_key(&known.subject) && severity(known) == severity(finding);
        let first = bundled.iter().find(alike).map(|known| known.subject);
        fresh.map(|(subject, _)| *subject).next().or(first).unwrap_or(own)
    }

    /// Finds the objects of restored incidents by place, size and class, the closest first.
    fn bind(&mut self, scene: &Scene) {
        loop {
            let fits = self.unbound.iter().enumerate().flat_map(|(i, unbound)| {
                let free = unbound.subjects(scene).into_iter().filter(|(_, subject)| !self.open.contains_key(subject));
                free.map(move |(heights, subject)| (heights, i, subject)).collect::<Vec<_>>()
            });
            let Some((_, i, subject)) = fits.min_by(|(a, ..), (b, ..)| a.total_cmp(b)) else { return };
            self.open.insert(subject, self.unbound.remove(i).incident);
        }
    }

    fn fold(
        &mut self,
        scene: &Scene,
        finding: &Finding,
        params: &IncidentParams,
        ids: &mut Ids,
        buckets: &mut Buckets,
    ) -> Option<Event> {
        let stamp = &scene.stamp;
        let open = self.open.get_mut(&finding.subject).filter(|_| finding.shape != Shape::Pulse);
        if let Some(incident) = open {
            incident.find(scene, finding, &self.info);
            if !incident.has_news(&self.info, params, stamp.pts) {
                return None;
            }
            let suppressed = self.cooldown.tell();
            return Some(incident.tell(Phase::Update, &self.info, suppressed, stamp, ids));
        }
        let severity = finding.severity.unwrap_or(self.info.severity);
        let may_open = || buckets.take(severity, stamp.pts);
        if self.cooldown.withholds(finding, stamp.pts, self.info.cooldown, may_open) {
            return None;
        }
        let mut incident = Incident::new(ids.next(stamp), scene, finding, &self.info);
        incident.opened = Some(stamp.pts);
        let event = incident.tell(Phase::New, &self.info, self.cooldown.tell(), stamp, ids);
        if !incident.is_pulse {
            self.open.insert(finding.subject, incident);
        }
        Some(event)
    }
}

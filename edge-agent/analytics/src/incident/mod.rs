//! Findings in, events out: one incident per thing that happens, however often its track is lost.
//!
//! A level finding opens an incident (`new`) at once; while it is found it is updated, and it ends (`end`) when it was
//! not found for a while. A pulse is one event. An incident's object keeps its number when its track is lost and
//! found under another ([`Stitcher`](crate::stitch::Stitcher)), so that it needs no stitching here; an object found
//! again after a restart is recognised here, by place, size and class, and its rule then sees its incident open
//! ([`Incidents::open`]).
//!
//! A camera that storms opens a bounded number of incidents, and what belongs to an open one is counted with it
//! ([`StormParams`], [`Bundles`]).
//!
//! # Invariants
//! - An incident has exactly one `new` first, revisions that ascend by one, and at most one `end`, last.
//! - A rule has at most one open incident about one subject.
//! - A rule that is not armed has none: with the first such scene they end.
//! - Events are ordered by rule, then subject; nothing depends on a hash's order.
//! - What is closed is forgotten.

use std::borrow::Cow;
use std::time::Duration;

use uuid::Uuid;

use crate::class::Class;
use crate::event::Event;
use crate::finding::{Finding, RuleInfo};
use crate::geometry::BBox;
use crate::id::RuleId;
use crate::kind::Kind;
use crate::rules::Open;
use crate::scene::Scene;
use crate::time::{FrameStamp, WallTime};

mod cooldown;
mod ids;
mod of_rule;
mod storm;
mod view;

pub(crate) use self::ids::Ids;
use self::of_rule::OfRule;
pub use self::storm::{Allowance, Bundles, StormParams, Withheld};
use self::storm::{Buckets, absorbed_as};

/// What a storm withheld is told by itself when no event of its rule has told it for this long.
const TELL_WITHHELD_AFTER: Duration = Duration::from_secs(60);

/// How findings become incidents. Every time is media time.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentParams {
    /// A level incident ends when it was not found for this long (debounce): a lost-and-found track within it
    /// continues the same incident. Raising it joins what longer occlusions part; it costs that much time to the `end`.
    pub end_after: Duration,
    /// While an incident lasts, an `update` at least this often; zero: only when something changed.
    pub update_every: Duration,
    /// How many incidents may open.
    pub storm: StormParams,
}

impl Default for IncidentParams {
    fn default() -> Self {
        Self { end_after: Duration::from_secs(3), update_every: Duration::from_secs(30), storm: StormParams::default() }
    }
}

/// An incident that was open when the program stopped, as its last committed event left it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIncident {
    /// Its id.
    pub incident_id: Uuid,
    /// The rule that opened it, with the severity that its last event had (should the rule no longer exist, its `end` says this).
    pub rule: RuleInfo,
    /// Its last revision.
    pub revision: u32,
    /// When it began.
    pub started_at: WallTime,
    /// When the frame of its last event was captured: until then it is known to have lasted.
    pub last_event_at: WallTime,
    /// About the zone as a whole rather than single tracks.
    pub about_zone: bool,
    /// What and where its tracks were.
    pub tracks: Vec<(Class, BBox)>,
}

/// What one rule found in one scene.
#[derive(Debug)]
pub struct Found<'a> {
    /// The rule.
    pub rule: &'a RuleInfo,
    /// Whether it is armed: a rule that is not has no incident.
    pub armed: bool,
    /// Whether it could judge this scene at all: if not, its incidents wait.
    pub judged: bool,
    /// What it found; nothing, when it is not armed.
    pub findings: Vec<Finding>,
}

/// The incidents of one camera.
#[derive(Debug)]
pub struct Incidents {
    params: IncidentParams,
    ids: Ids,
    bundles: Bundles,
    buckets: Buckets,
    /// In the order of the rules.
    rules: Vec<OfRule>,
    /// Not taken yet.
    withheld: Vec<Withheld>,
    /// Left open by an earlier session, until the first scene.
    restored: Vec<OpenIncident>,
    last: Option<FrameStamp>,
    /// What each rule tells of a scene; empty between two.
    told: Vec<Vec<Event>>,
}

impl Incidents {
    /// No incidents. `id_seed` makes event and incident ids: random per session in `run`, fixed in `replay`.
    #[must_use]
    pub fn new(params: IncidentParams, id_seed: u64) -> Self {
        let buckets = Buckets::new(params.storm);
        let (ids, bundles) = (Ids::new(id_seed), Bundles::default());
        Self {
            params,
            ids,
            bundles,
            buckets,
            rules: Vec::new(),
            withheld: Vec::new(),
            restored: Vec::new(),
            last: None,
            told: Vec::new(),
        }
    }

    /// The same, with the findings of some rules counted with another rule's open incident.
    #[must_use]
    pub fn bundling(mut self, bundles: Bundles) -> Self {
        self.bundles = bundles;
        self
    }

    /// Takes up incidents that an earlier session left open; before the first scene. What is found where it was goes on
    /// (next revision, phase update), the rest ends `end_after` after the first scene. Those of rules that no longer
    /// exist end at the first scene. What was not found again ended, as far as is known, at its last event.
    pub fn restore(&mut self, open: Vec<OpenIncident>) {
        self.restored.extend(open);
    }

    /// The subjects about which an incident of this rule is open.
    #[must_use]
    pub fn open(&self, rule: &RuleId) -> Open {
        self.rules.iter().filter(|of_rule| of_rule.info.id == *rule).flat_map(OfRule::subjects).collect()
    }

    /// Folds the findings of one scene; `found` holds each rule's, in the same order in every scene.
    pub fn update(&mut self, scene: &Scene, found: &[Found<'_>]) -> Vec<Event> {
        for Found { rule, .. } in found {
            if !self.rules.iter().any(|of_rule| of_rule.info.id == rule.id) {
                self.rules.push(OfRule::new((*rule).clone()));
            }
        }
        let mut events = self.take_up(scene);
        self.last = Some(scene.stamp.clone());
        // What may absorb comes before what may be absorbed; events keep the order of the rules.
        let mut of_rules = std::mem::take(&mut self.told);
        of_rules.resize_with(self.rules.len(), Vec::new);
        let absorbs = |info: &RuleInfo| info.kind == Kind::Congestion;
        for first in [true, false] {
            for (index, told) in of_rules.iter_mut().enumerate() {
                if absorbs(&self.rules[index].info) == first {
                    *told = self.update_rule(index, scene, found);
                }
            }
        }
        events.extend(of_rules.iter_mut().flat_map(|told| told.drain(..)));
        self.told = of_rules;
        self.tell_withheld(&scene.stamp, TELL_WITHHELD_AFTER);
        events
    }

    fn tell_withheld(&mut self, stamp: &FrameStamp, after: Duration) {
        let ids = &mut self.ids;
        self.withheld.extend(self.rules.iter_mut().filter_map(|of_rule| of_rule.overdue(stamp, after, ids)));
    }

    /// What storms withheld and no event tells of; each is given once.
    pub fn take_withheld(&mut self) -> Vec<Withheld> {
        std::mem::take(&mut self.withheld)
    }

    fn update_rule(&mut self, index: usize, scene: &Scene, found: &[Found<'_>]) -> Vec<Event> {
        let found = found.iter().find(|found| found.rule.id == self.rules[index].info.id);
        match found {
            Some(found) if !found.judged => Vec::new(),
            Some(found) if !found.armed => self.rules[index].disarm(scene, &mut self.ids),
            Some(found) => {
                let findings = self.unabsorbed(index, &found.findings);
                self.rules[index].update(scene, &findings, &self.params, &mut self.ids, &mut self.buckets)
            }
            None => self.rules[index].update(scene, &[], &self.params, &mut self.ids, &mut self.buckets),
        }
    }

    /// Without what would open an incident and belongs to a jam that is open; what is open goes on.
    fn unabsorbed<'f>(&mut self, index: usize, findings: &'f [Finding]) -> Cow<'f, [Finding]> {
        let info = &self.rules[index].info;
        let (jams, name) = (self.bundles.jams(&info.id), absorbed_as(info.kind));
        let Some(name) = name.filter(|_| !jams.is_empty()) else { return findings.into() };
        let open: Open = self.rules[index].subjects().collect();
        let mut rest = Vec::new();
        for finding in findings {
            let jam = |of_rule: &&mut OfRule| jams.contains(&of_rule.info.id);
            let is_absorbed = !open.contains(&finding.subject)
                && self.rules.iter_mut().filter(jam).any(|of_rule| of_rule.absorb(name, finding));
            if !is_absorbed {
                rest.push(finding.clone());
            }
        }
        rest.into()
    }

    /// Ends everything that is open, at the last scene: the clip is over. Without a scene nothing is known to be over.
    pub fn finish(&mut self) -> Vec<Event> {
        let Some(stamp) = self.last.clone() else { return Vec::new() };
        let events = self.rules.iter_mut().flat_map(|of_rule| of_rule.finish(&stamp, &mut self.ids)).collect();
        self.tell_withheld(&stamp, Duration::ZERO);
        events
    }

    /// Hands restored incidents to their rules, and ends those that have none.
    fn take_up(&mut self, scene: &Scene) -> Vec<Event> {
        let mut events = Vec::new();
        for open in self.restored.drain(..) {
            let same = |info: &RuleInfo| info.id == open.rule.id && info.kind == open.rule.kind;
            match self.rules.iter_mut().find(|of_rule| same(&of_rule.info)) {
                Some(of_rule) => of_rule.restore(open, &scene.stamp),
                None => {
                    let mut gone = OfRule::new(open.rule.clone());
                    gone.restore(open, &scene.stamp);
                    events.extend(gone.finish(&scene.stamp, &mut self.ids));
                }
            }
        }
        events
    }
}

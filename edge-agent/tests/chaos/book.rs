//! The ledger: what was committed, by the program's own word and by its database, against what arrived.
//!
//! The program tells each commit in a line on standard error before it can publish it. A line that a kill prevented is
//! made up for from the database, where what was never published still is. So every number up to the last one given is
//! in this book, and each must arrive, or be named by an announcement of loss.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_agent::publish::wire::{Evidence, Incident, Phase, System};
use serde_json::Value;
use uuid::Uuid;

use crate::causes::Causes;

/// One outbox: the numbers that it gave.
#[derive(Default)]
struct Numbers {
    /// The last one known to be committed.
    last: u64,
    /// Which event arrived under it.
    arrived: BTreeMap<u64, Uuid>,
    /// Committed and not arrived.
    missing: BTreeSet<u64>,
    /// Announced as lost, or in a database that was set aside.
    given_up: BTreeSet<u64>,
    causes: Causes,
}

/// Where an incident stands at the centre.
struct Standing {
    revision: u32,
    is_open: bool,
    has_pending: bool,
}

/// Everything that is known.
#[derive(Default)]
pub(crate) struct Book {
    outboxes: BTreeMap<Uuid, Numbers>,
    /// Committed `new`, by incident.
    made: BTreeMap<Uuid, (Uuid, u64)>,
    /// Whose `new` arrived.
    incidents: BTreeMap<Uuid, Standing>,
    ids: HashSet<(String, Uuid)>,
    /// What opened an incident: camera, rule, when, which tracks, which way.
    causes: BTreeMap<String, Uuid>,
    /// Open in the database of a program that ended, and the last number it had given: the next one must say of each that
    /// it goes on, or that it is over.
    owed: BTreeMap<Uuid, (Uuid, u64)>,
    /// Dropped by `watch` as it must.
    pub(crate) repeated: u64,
    /// Messages that were held against the contract.
    pub(crate) validated: u64,
    /// `kill -9` of the program.
    pub(crate) kills: u64,
    twice: u64,
    /// Announcements that a database was set aside.
    pub(crate) set_aside: u64,
    /// What health told last to be wrong with certificate files.
    pub(crate) certificate_problem: Option<String>,
    /// Everything that must not be, in words.
    pub(crate) wrongs: Vec<String>,
}

/// The figures of the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Figures {
    /// Incidents whose `new` was committed.
    pub(crate) made: u64,
    /// Of them, those that arrived.
    pub(crate) delivered: u64,
    /// Those that were in an outbox that was set aside and announced.
    pub(crate) announced: u64,
    /// The rest.
    pub(crate) lost: u64,
    /// Events that `watch` let through twice, and incidents opened twice for one cause.
    pub(crate) twice: u64,
    /// Events of every phase and topic that were committed.
    pub(crate) events: u64,
    /// Of them, those that arrived.
    pub(crate) arrived: u64,
    /// Repetitions that `watch` dropped.
    pub(crate) repeated: u64,
    /// Messages that were held against the contract.
    pub(crate) validated: u64,
}

impl Figures {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            made: self.made + other.made,
            delivered: self.delivered + other.delivered,
            announced: self.announced + other.announced,
            lost: self.lost + other.lost,
            twice: self.twice + other.twice,
            events: self.events + other.events,
            arrived: self.arrived + other.arrived,
            repeated: self.repeated + other.repeated,
            validated: self.validated + other.validated,
        }
    }
}

impl Book {
    /// A line of the program's log, if it tells of a commit.
    pub(crate) fn read_line(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        let number = |key: &str| line.get(key).and_then(Value::as_u64);
        let outbox = line.get("outbox_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let (Some(outbox), Some(first), Some(last)) = (outbox, number("first"), number("last")) else { return };
        let begun = line.get("begun").and_then(Value::as_str).unwrap_or_default();
        let begun = begun.split_ascii_whitespace().filter_map(|pair| {
            let (number, incident) = pair.split_once(':')?;
            Some((number.parse().ok()?, incident.parse().ok()?))
        });
        self.commit(outbox, first..=last, begun);
    }

    /// Numbers that were given, and which of them begin an incident.
    pub(crate) fn commit(
        &mut self,
        outbox: Uuid,
        numbers: impl IntoIterator<Item = u64>,
        begun: impl IntoIterator<Item = (u64, Uuid)>,
    ) {
        let of = self.outboxes.entry(outbox).or_default();
        for number in numbers {
            if number != of.last + 1 {
                self.wrongs.push(format!("{outbox}: number {number} was given after {}", of.last));
            }
            of.last = of.last.max(number);
            if !of.arrived.contains_key(&number) && !of.given_up.contains(&number) {
                of.missing.insert(number);
            }
        }
        for (number, incident) in begun {
            if self.made.insert(incident, (outbox, number)).is_some() {
                self.twice += 1;
                self.wrongs.push(format!("incident {incident} begins a second time, as {outbox} {number}"));
            }
        }
    }

    /// The last number that is known of an outbox.
    pub(crate) fn last(&self, outbox: Uuid) -> u64 {
        self.outboxes.get(&outbox).map_or(0, |of| of.last)
    }

    /// What was not delivered from this outbox was set aside with it, and what was open is open for ever.
    pub(crate) fn give_up(&mut self, outbox: Uuid) {
        if let Some(of) = self.outboxes.get_mut(&outbox) {
            let missing = std::mem::take(&mut of.missing);
            of.given_up.extend(missing);
        }
        self.owed.retain(|_, (of, _)| *of != outbox);
        self.incidents.values_mut().for_each(|standing| standing.is_open = false);
    }

    /// The program ended with these open.
    pub(crate) fn owe(&mut self, outbox: Uuid, open: impl IntoIterator<Item = Uuid>) {
        let last = self.last(outbox);
        for incident in open {
            self.owed.entry(incident).or_insert((outbox, last));
        }
    }

    /// What is owed still.
    pub(crate) fn owed(&self) -> BTreeSet<Uuid> {
        self.owed.keys().copied().collect()
    }

    /// It is waited for no longer; what it was.
    pub(crate) fn forgive(&mut self) -> BTreeSet<Uuid> {
        std::mem::take(&mut self.owed).into_keys().collect()
    }

    /// An event arrived, whatever it tells: its number is accounted for.
    fn arrive(&mut self, outbox: Uuid, number: u64, id: Uuid) {
        let of = self.outboxes.entry(outbox).or_default();
        of.missing.remove(&number);
        if let Some(before) = of.arrived.insert(number, id)
            && before != id
        {
            self.wrongs.push(format!("{outbox}: number {number} is {before} and {id}"));
        }
        let second = of.causes.judge(&of.arrived, &of.given_up);
        self.twice += second.len() as u64;
        self.wrongs.extend(second);
    }

    /// A message that is no incident, as a subscriber of everything sees it.
    pub(crate) fn note_message(&mut self, topic: &str, payload: &[u8]) {
        if topic.contains("/event/") {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Value>(payload) else { return };
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        if topic.ends_with("/health") {
            self.certificate_problem = text("/transport/problem").map(str::to_owned);
            return;
        }
        let outbox = text("/data/outbox_id").and_then(|id| id.parse().ok());
        let number = text("/sequence").and_then(|number| number.parse().ok());
        let id = text("/id").and_then(|id| id.parse().ok());
        let (Some(outbox), Some(number), Some(id)) = (outbox, number, id) else { return };
        self.arrive(outbox, number, id);
    }

    /// An event of the box itself, as `watch` sees it.
    pub(crate) fn note_system(&mut self, event: &System) {
        self.arrive(event.data.outbox_id, event.sequence.0, event.id);
        self.set_aside += u64::from(event.data.file.is_some());
        let lost = event.data.lost.iter().flat_map(|lost| &lost.ranges);
        let of = self.outboxes.entry(event.data.outbox_id).or_default();
        for number in lost.flat_map(|[first, last]| first.0..=last.0) {
            of.missing.remove(&number);
            of.given_up.insert(number);
        }
    }

    /// An incident's event, as `watch` lets it through.
    pub(crate) fn note_incident(&mut self, event: &Incident) {
        let data = &event.data;
        self.outboxes.entry(data.outbox_id).or_default().causes.note(event);
        self.arrive(data.outbox_id, event.sequence.0, event.id);
        let at = (data.outbox_id, event.sequence.0);
        self.owed
            .retain(|incident, (outbox, last)| !(*incident == data.incident_id && *outbox == at.0 && at.1 > *last));
        if !self.ids.insert((event.source.clone(), event.id)) {
            self.twice += 1;
            self.wrongs.push(format!("event {} was let through twice", event.id));
        }
        let standing = Standing {
            revision: data.revision,
            is_open: data.ended_at.is_none(),
            has_pending: data.evidence.iter().any(Evidence::is_pending),
        };
        let what = format!("{} {} revision {} ({:?})", data.kind, data.incident_id, data.revision, data.phase);
        match self.incidents.insert(data.incident_id, standing) {
            None if data.phase == Phase::New && data.revision == 1 => self.note_cause(event),
            None => self.wrongs.push(format!("{what}: nothing of it came before")),
            Some(before) => {
                if data.phase == Phase::New {
                    self.twice += 1;
                    self.wrongs.push(format!("{what}: it had begun"));
                } else if data.revision != before.revision + 1 {
                    self.wrongs.push(format!("{what}: after revision {}", before.revision));
                } else if !before.is_open && !before.has_pending {
                    self.wrongs.push(format!("{what}: it had ended"));
                }
            }
        }
    }

    fn note_cause(&mut self, event: &Incident) {
        let data = &event.data;
        let tracks: Vec<String> = data.tracks.iter().map(|track| track.track_id.to_string()).collect();
        let cause = format!(
            "{} {} {:?} {} {:?}",
            event.subject,
            data.why.rule,
            data.direction,
            event.time,
            (tracks, &data.line)
        );
        if let Some(before) = self.causes.insert(cause.clone(), data.incident_id) {
            self.twice += 1;
            self.wrongs.push(format!("{before} and {} tell the same: {cause}", data.incident_id));
        }
    }

    /// Whether everything committed so far has arrived.
    pub(crate) fn is_settled(&self) -> bool {
        self.outboxes.values().all(|of| of.missing.is_empty())
    }

    /// Numbers that wait to arrive.
    pub(crate) fn missing(&self) -> BTreeSet<(Uuid, u64)> {
        let of = |(id, of): (&Uuid, &Numbers)| of.missing.iter().map(|number| (*id, *number)).collect::<Vec<_>>();
        self.outboxes.iter().flat_map(of).collect()
    }

    /// Events that arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.outboxes.values().map(|of| of.arrived.len() as u64).sum()
    }

    /// Incidents that go on, as the centre has it.
    pub(crate) fn open(&self) -> BTreeSet<Uuid> {
        self.incidents.iter().filter(|(_, standing)| standing.is_open).map(|(incident, _)| *incident).collect()
    }

    /// The figures so far; `never`: what was waited for in vain. What else has not arrived is on its way: it is counted
    /// when it was waited for.
    pub(crate) fn figures(&self, never: &BTreeSet<(Uuid, u64)>) -> Figures {
        let of = |outbox: &Uuid| self.outboxes.get(outbox);
        let is_coming =
            |at: &(Uuid, u64)| of(&at.0).is_some_and(|of| of.missing.contains(&at.1)) && !never.contains(at);
        let given_up = |at: &(Uuid, u64)| {
            of(&at.0).is_some_and(|of| of.given_up.contains(&at.1) && !of.arrived.contains_key(&at.1))
        };
        let counted = || self.made.iter().filter(|(_, at)| !is_coming(at));
        let made = counted().count() as u64;
        let delivered = counted().filter(|(incident, _)| self.incidents.contains_key(incident)).count() as u64;
        let announced = counted().filter(|(_, at)| given_up(at)).count() as u64;
        let missing: u64 = self.outboxes.values().map(|of| of.missing.len() as u64).sum();
        Figures {
            made,
            delivered,
            announced,
            lost: made.saturating_sub(delivered + announced),
            twice: self.twice,
            events: self.outboxes.values().map(|of| of.last).sum::<u64>() + never.len() as u64 - missing,
            arrived: self.arrived(),
            repeated: self.repeated,
            validated: self.validated,
        }
    }
}

/// The book, shared by those who write into it and the one who waits.
#[derive(Clone, Default)]
pub(crate) struct SharedBook(Arc<(Mutex<Book>, Condvar)>);

impl SharedBook {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes into it.
    pub(crate) fn write<T>(&self, how: impl FnOnce(&mut Book) -> T) -> T {
        let result = how(&mut self.lock());
        self.0.1.notify_all();
        result
    }

    /// Waits until it is so; false when it is not in time.
    pub(crate) fn wait(&self, at_most: Duration, mut is_so: impl FnMut(&Book) -> bool) -> bool {
        let deadline = Instant::now() + at_most;
        let mut book = self.lock();
        while !is_so(&book) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            book = self.0.1.wait_timeout(book, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits until something is so that is not written in it; false when it is not in time.
    pub(crate) fn wait_for(&self, at_most: Duration, mut is_so: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + at_most;
        while !is_so() {
            if Instant::now() >= deadline {
                return false;
            }
            self.wait(Duration::from_millis(50), |_| false);
        }
        true
    }
}

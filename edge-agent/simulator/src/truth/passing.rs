//! The definitions of what happens where one passes: lines, stop lines, flows, forbidden turns; and where two meet.

use std::collections::BTreeSet;

use analytics::Direction;

use super::judge::{self, Grade, Present, needs};
use super::run::Run;
use super::{Incident, Truth, is_hidden, seen};
use crate::ground::Spot;
use crate::place::Watch;
use crate::road::{Lamp, LinkId};
use crate::vehicle::{ActorId, Vehicle};
use crate::world::{World, goes_against};

/// A lamp must have been red for so long, in seconds, that who passes surely ran it: the rule's grace and a second.
const SURELY_RED: f64 = 2.0;
/// One whose middle is so far in an area, in metres, has been there.
const WELL_IN: f64 = 1.0;

impl Truth {
    /// Vehicles whose front passed the stop line of `link` in this step, while its lamp was red; surely, when it had been
    /// for more than [`SURELY_RED`].
    pub(super) fn run_red(&mut self, index: usize, link: LinkId, world: &World) {
        let place = world.place();
        let (Some((line, phase)), Some(signal)) = (place.links[link].stop_line, place.signal) else { return };
        let now = world.seconds();
        // One who drives against the traffic comes to the line from behind it.
        let with = |vehicle: &&Vehicle| vehicle.link == link && !goes_against(vehicle);
        let on = world.traffic().vehicles().iter().filter(with);
        let over: BTreeSet<ActorId> =
            on.filter(|vehicle| vehicle.s + vehicle.length_m / 2.0 > line).map(|vehicle| vehicle.id).collect();
        if signal.lamp(phase, now) == Lamp::Red {
            let red_s = signal.shown_for_s(phase, now);
            for actor in over.difference(&self.over_line) {
                self.incidents.push(Incident {
                    rule: self.watched[index].id,
                    kind: self.watched[index].watch.kind(),
                    start_s: now,
                    end_s: now + 1.0,
                    possible_s: now,
                    is_sure: red_s > SURELY_RED,
                    actor: Some(*actor),
                    other: None,
                    direction: None,
                });
            }
        }
        self.over_line = over;
    }

    /// Vehicles whose middle passed the line in this step. A crossing lasts from the front to the rear, however long one stands
    /// across the line in between.
    pub(super) fn cross(&mut self, index: usize, from: Spot, to: Spot, now: f64) {
        let passing = self.passing(from, to);
        self.note_astride(index, from, to, now);
        for (one, along, direction) in passing {
            let half_s = one.length_m / 2.0 / one.speed().max(0.3);
            let since = self.astride[index].get(&one.actor).copied().unwrap_or(now);
            self.incidents.push(Incident {
                rule: self.watched[index].id,
                kind: self.watched[index].watch.kind(),
                start_s: now - half_s,
                end_s: now + half_s,
                possible_s: since.min(now - half_s),
                is_sure: (0.03..=0.97).contains(&along) && one.in_picture == Grade::Sure,
                actor: Some(one.actor),
                other: None,
                direction: Some(direction),
            });
        }
    }

    /// Takes note of who is across the line.
    fn note_astride(&mut self, index: usize, from: Spot, to: Spot, now: f64) {
        let was = std::mem::take(&mut self.astride[index]);
        let is_over = |spot: Spot| (to.x - from.x) * (spot.y - from.y) - (to.y - from.y) * (spot.x - from.x) > 0.0;
        let across = self.present.iter().filter(|one| {
            let [front, rear] = one.ends();
            one.class.is_vehicle() && is_over(front) != is_over(rear)
        });
        self.astride[index] = across.map(|one| (one.actor, was.get(&one.actor).copied().unwrap_or(now))).collect();
    }

    /// Who passes a line in this step, where along it (0 to 1, and a little beyond its ends), and which way.
    fn passing(&self, from: Spot, to: Spot) -> Vec<(Present, f64, Direction)> {
        let line = Spot::new(to.x - from.x, to.y - from.y);
        let length = line.x.hypot(line.y);
        let offset = |spot: Spot| (line.x * (spot.y - from.y) - line.y * (spot.x - from.x)) / length;
        let vehicles = self.present.iter().filter(|one| one.class.is_vehicle());
        let pass = vehicles.filter_map(|one| {
            let (before, _) = self.before.get(&one.actor)?;
            let (was, is) = (offset(*before), offset(one.spot));
            let along = (line.x * (one.spot.x - from.x) + line.y * (one.spot.y - from.y)) / (length * length);
            let direction = if is < 0.0 { Direction::LeftToRight } else { Direction::RightToLeft };
            ((was > 0.0) != (is > 0.0) && (-0.05..=1.05).contains(&along)).then_some((*one, along, direction))
        });
        pass.collect()
    }

    /// Whether far fewer pass the line than did before.
    pub(super) fn flow(&mut self, index: usize, now: f64) {
        let Watch::FlowDrop { from, to, ratio, baseline, window, least } = self.watched[index].watch else { return };
        let (baseline_s, window_s) = (baseline.as_secs_f64(), window.as_secs_f64());
        let passed = self.passing(from, to).len();
        let crossed = &mut self.crossed[index];
        crossed.extend(std::iter::repeat_n(now, passed));
        while crossed.front().is_some_and(|first| now - first > baseline_s + window_s) {
            crossed.pop_front();
        }
        if now >= baseline_s + window_s {
            let lately = crossed.iter().rev().take_while(|at| now - **at <= window_s).count();
            let a_minute = |count: usize, seconds: f64| count as f64 * 60.0 / seconds;
            let (is, was) = (a_minute(lately, window_s), a_minute(crossed.len() - lately, baseline_s));
            let grade = judge::dropped(is, was, ratio, least);
            if grade > Grade::No {
                let needs = needs(&self.watched[index].watch);
                let run = self.runs[index].entry(0).or_insert_with(|| Run::new(now));
                run.note(now, grade, Spot::default(), needs);
            }
        }
        self.end_over(index, now);
    }

    /// Who comes to where a forbidden turn ends, a metre into it, having been as far where it begins. It begins when the
    /// middle comes in.
    pub(super) fn turn(&mut self, index: usize, now: f64) {
        let Watch::ForbiddenTurn { from, to, within } = &self.watched[index].watch else { return };
        for one in self.present.iter().filter(|one| one.class.is_vehicle()) {
            if from.0.depth(one.spot) >= WELL_IN {
                self.left[index].insert(one.actor, now);
            }
            let depth = to.0.depth(one.spot);
            let Some(left) = self.left[index].get(&one.actor).filter(|_| depth >= WELL_IN) else { continue };
            if now - left <= within.as_secs_f64() {
                let start_s = now - depth / one.speed().max(0.5);
                self.incidents.push(Incident {
                    rule: self.watched[index].id,
                    kind: self.watched[index].watch.kind(),
                    start_s,
                    end_s: now + 1.0,
                    possible_s: start_s,
                    is_sure: one.in_picture == Grade::Sure,
                    actor: Some(one.actor),
                    other: None,
                    direction: None,
                });
            }
            self.left[index].remove(&one.actor);
        }
    }

    /// Those who have met and still stand there.
    pub(super) fn collide(&mut self, index: usize, world: &World) {
        let now = world.seconds();
        let Watch::Collision { area, .. } = &self.watched[index].watch else { return };
        let needs = needs(&self.watched[index].watch);
        let find = |actor| self.present.iter().find(|one| one.actor == actor);
        for crash in world.traffic().crashes() {
            let Some(two) = find(crash.hit).zip(find(crash.by)) else { continue };
            let stands = |actor| world.traffic().vehicle(actor).is_some_and(|vehicle| vehicle.stands_since.is_some());
            let mut grade = judge::met([two.0, two.1], area, crash.closing_mps);
            let views = self.views.get_or_init(|| seen(&self.camera, &self.present));
            let hidden =
                |actor| self.present.iter().position(|one| one.actor == actor).is_some_and(|i| is_hidden(views, i));
            if hidden(crash.hit) || hidden(crash.by) {
                grade = grade.min(Grade::Possible);
            }
            if grade > Grade::No && stands(crash.hit) && stands(crash.by) {
                self.met.insert(crash.by, crash.hit);
                let run = self.runs[index].entry(crash.by).or_insert_with(|| Run::new(now));
                run.note(now, grade, two.0.spot, needs);
            }
        }
        self.end_over(index, now);
    }
}

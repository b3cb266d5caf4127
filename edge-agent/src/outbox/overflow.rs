//! What is dropped when the outbox is full, and how the loss is announced.

use rusqlite::{OptionalExtension, Transaction, params};

use super::store::{State, insert_system, json, remove};
use super::{OutboxLimits, sum, thumbnail};
use crate::publish::Topics;
use crate::publish::wire::{self, Lost, Sequence, SystemKind, UtcMillis};

/// Runs that one overflow event names at most; then another one is written. Keeps it near 8 KiB.
const MAX_RUNS: usize = 128;

/// Drops what the limits do not hold, least important first, and announces it.
pub(super) fn make_room(
    transaction: &Transaction<'_>,
    state: &mut State,
    limits: OutboxLimits,
    topics: &Topics,
    handed_out: &[Sequence],
) -> rusqlite::Result<()> {
    let handed_out: Vec<u64> = handed_out.iter().map(|sequence| sequence.0).collect();
    loop {
        thumbnail::make_room(transaction, state, limits)?;
        let mut lost = Vec::new();
        while state.pending > limits.max_rows || state.pending_bytes > limits.max_bytes {
            let Some(victim) = victim(transaction, &handed_out)? else { break };
            remove(transaction, state, victim)?;
            lost.push(victim);
        }
        if lost.is_empty() {
            return Ok(());
        }
        state.lost_total += lost.len() as u64;
        for sequence in lost {
            announce(transaction, state, topics, &handed_out, sequence)?;
        }
        // The announcement takes room too: look again. Each round drops something, so this ends.
        write_announcement(transaction, state)?;
    }
}

/// Traffic measures, oldest first; then `update` of the lowest severity, oldest first; then other phases of the lowest severity; never what is kept always.
fn victim(transaction: &Transaction<'_>, handed_out: &[u64]) -> rusqlite::Result<Option<u64>> {
    transaction
        .prepare_cached(
            "SELECT sequence FROM entry
             WHERE keep < 2 AND sequence NOT IN (SELECT value FROM json_each(?1))
             ORDER BY keep, severity, sequence LIMIT 1",
        )?
        .query_row([json(&handed_out)], |row| row.get::<_, i64>(0))
        .optional()
        .map(|found| found.map(|sequence| sequence as u64))
}

/// Adds a lost number to the announcement that is being written, or starts one when there is none, when it is full, or
/// when it may already be on its way.
fn announce(
    transaction: &Transaction<'_>,
    state: &mut State,
    topics: &Topics,
    handed_out: &[u64],
    lost: u64,
) -> rusqlite::Result<()> {
    let usable = state
        .overflow
        .as_ref()
        .is_some_and(|(sequence, _, runs)| runs.len() < MAX_RUNS && !handed_out.contains(sequence));
    if !usable {
        let mut event =
            wire::system(SystemKind::OutboxOverflow, &topics.source(), topics.box_id().as_str(), UtcMillis::now());
        insert_system(transaction, state, &mut event, topics)?;
        state.overflow = Some((state.last_sequence, event, Runs::default()));
    }
    let (_, event, runs) = state.overflow.as_mut().expect("was there or was just made");
    runs.insert(lost);
    event.data.lost = Some(runs.to_lost());
    if runs.len() == MAX_RUNS {
        write_announcement(transaction, state)?;
    }
    Ok(())
}

fn write_announcement(transaction: &Transaction<'_>, state: &mut State) -> rusqlite::Result<()> {
    let Some((sequence, event, _)) = &state.overflow else { return Ok(()) };
    let (number, payload) = (*sequence, event.to_bytes());
    let sequence = number as i64;
    let (bytes, topic): (i64, String) = transaction
        .prepare_cached("SELECT bytes, topic FROM entry WHERE sequence = ?1")?
        .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))?;
    state.pending_bytes = state.pending_bytes - bytes as u64 + payload.len() as u64;
    transaction
        .prepare_cached("UPDATE entry SET bytes = ?2 WHERE sequence = ?1")?
        .execute(params![sequence, payload.len() as i64])?;
    transaction.prepare_cached("UPDATE payload SET body = ?2, sum = ?3 WHERE sequence = ?1")?.execute(params![
        sequence,
        payload,
        sum::of(number, &topic, &payload)
    ])?;
    Ok(())
}

/// A set of sequence numbers, kept as ascending runs that neither touch nor overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Runs(Vec<(u64, u64)>);

impl Runs {
    /// Adds one number.
    pub(super) fn insert(&mut self, number: u64) {
        let at = self.0.partition_point(|(_, last)| last.saturating_add(1) < number);
        match self.0.get_mut(at) {
            Some((first, last)) if *first <= number.saturating_add(1) => {
                *first = (*first).min(number);
                *last = (*last).max(number);
                if let Some(&(next_first, next_last)) = self.0.get(at + 1)
                    && next_first == self.0[at].1 + 1
                {
                    self.0[at].1 = next_last;
                    self.0.remove(at + 1);
                }
            }
            _ => self.0.insert(at, (number, number)),
        }
    }

    /// How many runs.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As it is announced.
    pub(super) fn to_lost(&self) -> Lost {
        Lost {
            count: self.0.iter().map(|(first, last)| last - first + 1).sum(),
            ranges: self.0.iter().map(|&(first, last)| [Sequence(first), Sequence(last)]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_hold_exactly_what_was_put_in(numbers in prop::collection::vec(1_u64..60, 0..80)) {
            let mut runs = Runs::default();
            for &number in &numbers {
                runs.insert(number);
            }
            let held: Vec<u64> = runs.0.iter().flat_map(|&(first, last)| first..=last).collect();
            let expected: BTreeSet<u64> = numbers.into_iter().collect();
            prop_assert_eq!(held.len() as u64, runs.to_lost().count);
            prop_assert!(held.iter().eq(&expected), "{:?} for {:?}", runs, expected);
            prop_assert!(runs.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?} could be joined", runs);
        }
    }
}

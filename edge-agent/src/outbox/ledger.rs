//! The outbox's own book, for whoever checks from outside that nothing is lost: one line a transaction, at level debug.
//!
//! The line is written by the database's thread after the transaction is durable and before anything else happens, so
//! before an entry of it can be handed to the publisher. What was committed when the process was killed is therefore
//! in the lines that were written or still in the database, never in neither.

use tracing::Level;
use uuid::Uuid;

use super::store::{Given, Writes};
use crate::publish::wire::{Phase, Sequence};

/// The filter's name for these lines: `NGATU_LOG=info,edge_agent::outbox::ledger=debug`.
const TARGET: &str = "edge_agent::outbox::ledger";

/// Tells what one transaction gave, if anyone wants to know: numbers `first..=last`, and which of them begin an incident.
pub(super) fn tell(outbox_id: Uuid, before: u64, last: u64, writes: &Writes, given: &Given) {
    if before == last || !tracing::enabled!(target: TARGET, Level::DEBUG) {
        return;
    }
    let numbered = writes.commits.iter().zip(&given.commits).flat_map(|(drafts, numbers)| drafts.iter().zip(numbers));
    let begun: Vec<String> = numbered
        .filter(|(draft, _)| draft.incident.data.phase == Phase::New)
        .map(|(draft, Sequence(number))| format!("{number}:{}", draft.incident.data.incident_id))
        .collect();
    tracing::debug!(target: TARGET, %outbox_id, first = before + 1, last, begun = begun.join(" "), "committed");
}

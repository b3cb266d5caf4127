//! Commands of the operations centre, over MQTT: a closed list, each with its own arguments (docs/commands.md).
//!
//! A command comes on `cmd/{name}` and is answered on `ack/{name}`. There is no shell, no path of a file, and nothing that is
//! not on the list. `config-apply` will be a further row of it.
//!
//! # Invariants
//! - A command is done once, however often it comes: its id is remembered, durably, until it could not be valid any more, and
//!   comes back with the answer it had.
//! - It is acknowledged to the broker once it is safe in the outbox's database, together with what it changes and with its
//!   answer: whatever is killed when, the centre gets exactly one final answer. One that was being done when the program
//!   ended is answered `failed`, `interrupted`.
//! - What takes eyes off the road is done only when it is certainly fresh ([`envelope`]).
//! - Answers and parts of evidence leave beside events or after them, never before; a flood is refused, and counted.
//!
//! # Failure
//! A database that cannot be written makes commands wait: in the queue, then at the broker. The program's end leaves them
//! there. A database that is set aside as damaged takes ids and switches with it; what is off then stays off until the next
//! start, as [`Switches`] are kept in memory too.
//!
//! # Ownership
//! One task ([`CommandTask`]) judges and does; the connection only queues ([`CommandEar`]). Others look at [`Switches`] and
//! what was found by latest value.

mod budget;
mod decide;
mod ear;
mod envelope;
mod jobs;
mod rate;
mod record;
pub mod send;
mod switches;
mod task;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub(crate) use envelope::hostile;

pub use ear::{CommandCounters, CommandEar, Delivery};
pub use switches::Switches;
pub use task::{CommandCamera, CommandTask, FETCH_PER_DAY};

/// What operators found incidents to be, as health tells it.
pub type Precision = std::sync::Arc<[crate::publish::wire::PrecisionData]>;

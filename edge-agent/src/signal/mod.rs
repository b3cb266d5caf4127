//! Traffic signals whose phase the box is told over MQTT, by a controller or the centre, on the box's own broker.
//!
//! The connection to the broker leaves what it hears on the [`SignalBoard`]; each camera asks it what a signal showed when
//! a frame arrived ([`HeardSignals`]). Reports and frames are compared by the monotonic clock of their arrival, never by
//! two machines' calendars: a sender's `since` only makes a phase older by as much as both clocks certainly agree.
//!
//! # Invariants
//! - A phase is known only while a valid report says so: never before the first, never after its validity, not after a
//!   report that cannot be believed, not once the connection is lost. Unknown is never judged.
//! - A phase never began before another one was last reported.
//!
//! # Failure
//! A sender that is silent, late, malformed or of another time makes the phase unknown; [`SignalTask`] says so once, and
//! once that it is over. The board keeps each topic's last [`KEPT`] phases: one that falls out is unknown to frames that
//! are older still.
//!
//! # Ownership
//! The broker's connection writes, camera tasks read, one task watches.

mod board;
mod heard;
mod report;
mod task;

pub use board::{KEPT, SignalBoard, Trouble};
pub use heard::{HeardSignal, HeardSignals};
#[cfg(any(test, fuzzing))]
pub(crate) use report::hostile;
pub use task::{SignalTask, Troubles};

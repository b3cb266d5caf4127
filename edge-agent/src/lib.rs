//! Ngã Tư's edge agent: everything that touches the world.
//!
//! One way only: source → decode → slot → detect → track, rules, incidents (crate `analytics`) → outbox → publish.
//! ARCHITECTURE.md draws it; the threads and channels are made in `app` and nowhere else.

pub mod decode;
pub mod detect;
pub mod frame;
pub mod outbox;
pub mod publish;
pub mod source;

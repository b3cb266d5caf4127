//! Ngã Tư's edge agent: everything that touches the world.
//!
//! One way only: source → decode → slot → detect → track, rules, incidents (crate `analytics`) → outbox → publish.
//! ARCHITECTURE.md draws it; the threads and channels are made in `app` and nowhere else.

pub mod access;
pub mod app;
pub mod apply;
pub mod audit;
pub mod camera;
pub mod command;
pub mod config;
pub mod crash;
pub mod decode;
#[cfg(feature = "demo")]
pub mod demo;
pub mod detect;
mod digest;
pub mod doctor;
mod durable;
pub mod eval;
pub mod evidence;
pub mod frame;
pub mod hardening;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod ladder;
pub mod outbox;
pub mod page;
pub mod privacy;
pub mod publish;
pub mod record;
pub mod replay;
pub mod reset;
pub mod resources;
pub mod schema;
pub mod secret;
pub mod setup;
pub mod shutdown;
pub mod signal;
pub mod source;
pub mod status;
pub mod support;
mod tar;
pub mod telemetry;
pub mod text;
pub mod tracks;
pub mod trust;
pub mod tune;
pub mod view;
pub mod watch;

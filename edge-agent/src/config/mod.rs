//! Configuration: files as written ([`raw`]) become a [`Site`] that is valid by construction, or *every* error at
//! once ([`ConfigErrors`]).
//!
//! Three axes, one question each: a *model* is what the network is, a *hw-profile* is how this box runs it, a
//! *pipeline* is what is watched for. Precedence: site over pipeline over built-in defaults; a hw-profile never
//! touches zones, rules or thresholds.

mod audit;
mod calendar;
mod calibration;
mod camera_rules;
mod connect;
mod document;
mod draft;
mod error;
mod evidence;
mod explain;
mod gate;
mod home;
mod ladder;
mod mask;
mod measure;
mod missing;
mod place;
mod profile;
pub mod raw;
mod remote;
mod resolve;
mod rule;
mod schedule;
mod secret;
mod signal;
mod site;
#[cfg(test)]
pub(crate) mod tests;
mod thing;
mod value;
mod written;

pub use calendar::{Calendar, Holiday};
pub use calibration::summary as calibration_summary;
pub use document::Document;
pub use draft::{BrokerDraft, CameraDraft, SiteDraft};
pub use error::{ConfigError, ConfigErrors};
pub use home::{Home, HomeError};
pub use measure::MeasureSpec;
pub use place::Places;
pub use profile::{HwProfile, Pipeline, Sandbox, hw_profiles};
pub use remote::Remote;
pub use resolve::{load_site, load_site_partly, load_site_text};
pub use secret::{SecretError, SecretProblem, SecretRef, SecretUse};
pub use signal::{SignalLamps, Signals};
pub use site::{
    Camera, Credentials, MotionGate, Mqtt, Name, Position, Security, Site, Storage, Stream, TrackerOverrides,
};
pub use value::parse_duration;
pub use written::Written;

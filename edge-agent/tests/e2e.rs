//! The program as it is installed, end to end: its own binary, a real Mosquitto, real RTSP cameras in processes of their
//! own, the bundled model, a real clip.
#![cfg(feature = "demo")]

mod common;

#[path = "e2e/agent.rs"]
mod agent;
#[path = "e2e/audit.rs"]
mod audit;
#[path = "e2e/bundles.rs"]
mod bundles;
#[path = "e2e/camera_outages.rs"]
mod camera_outages;
#[path = "e2e/canary.rs"]
mod canary;
#[path = "e2e/centre.rs"]
mod centre;
#[path = "e2e/check.rs"]
mod check;
#[path = "e2e/clip.rs"]
mod clip;
#[path = "e2e/clips.rs"]
mod clips;
#[path = "e2e/commands.rs"]
mod commands;
#[path = "e2e/configurations.rs"]
mod configurations;
#[path = "e2e/crashes.rs"]
mod crashes;
#[path = "e2e/credentials.rs"]
mod credentials;
#[path = "e2e/descriptors.rs"]
mod descriptors;
#[path = "e2e/doctor.rs"]
mod doctor;
#[path = "e2e/eval.rs"]
mod eval;
#[path = "e2e/fetches.rs"]
mod fetches;
#[path = "e2e/ledger.rs"]
mod ledger;
#[path = "e2e/measure_kills.rs"]
mod measure_kills;
#[path = "e2e/model_fit.rs"]
mod model_fit;
#[path = "e2e/models.rs"]
mod models;
#[path = "e2e/operators.rs"]
mod operators;
#[path = "e2e/orders.rs"]
mod orders;
#[path = "e2e/page.rs"]
mod page;
#[path = "e2e/page_remote.rs"]
mod page_remote;
#[path = "e2e/permissions.rs"]
mod permissions;
#[path = "e2e/pictures.rs"]
mod pictures;
#[path = "e2e/plaintext.rs"]
mod plaintext;
#[path = "e2e/ports.rs"]
mod ports;
#[path = "e2e/replay.rs"]
mod replay;
#[path = "e2e/replay_storm.rs"]
mod replay_storm;
#[path = "e2e/service.rs"]
mod service;
#[path = "e2e/site.rs"]
mod site;
#[path = "e2e/site_init.rs"]
mod site_init;
#[path = "e2e/site_picture.rs"]
mod site_picture;
#[path = "e2e/systemd.rs"]
mod systemd;
#[path = "e2e/tracks.rs"]
mod tracks;
#[path = "e2e/tune.rs"]
mod tune;
#[path = "e2e/unsynced.rs"]
mod unsynced;

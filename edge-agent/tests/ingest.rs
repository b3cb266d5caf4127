//! Reception from a real RTSP server in a process of its own, and from clips.
#![cfg(feature = "demo")]

#[path = "ingest/clips.rs"]
mod clips;
#[path = "ingest/outages.rs"]
mod outages;
#[path = "ingest/reception.rs"]
mod reception;
#[path = "ingest/secrecy.rs"]
mod secrecy;
#[path = "ingest/stage.rs"]
mod stage;

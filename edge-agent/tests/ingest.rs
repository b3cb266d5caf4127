//! Reception from a real RTSP server in a process of its own, and from clips.
#![cfg(feature = "demo")]

#[path = "ingest/clips.rs"]
mod clips;
#[path = "ingest/doze.rs"]
mod doze;
#[path = "ingest/hostile.rs"]
mod hostile;
#[path = "ingest/http.rs"]
mod http;
#[path = "ingest/outages.rs"]
mod outages;
#[path = "ingest/reception.rs"]
mod reception;
#[path = "ingest/record.rs"]
mod record;
#[path = "ingest/record_clip.rs"]
mod record_clip;
#[path = "ingest/secrecy.rs"]
mod secrecy;
#[path = "ingest/stage.rs"]
mod stage;
#[path = "ingest/thin.rs"]
mod thin;

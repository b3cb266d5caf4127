//! Delivery as a whole: outbox, publisher and the other end, against a real Mosquitto.

mod common;

#[path = "deliver/broker.rs"]
mod broker;
#[path = "deliver/crash.rs"]
mod crash;
#[path = "deliver/fixture.rs"]
mod fixture;
#[path = "deliver/pictures.rs"]
mod pictures;
#[path = "deliver/presence.rs"]
mod presence;
#[path = "deliver/rotation.rs"]
mod rotation;
#[path = "deliver/schemas.rs"]
mod schemas;
#[path = "deliver/signals.rs"]
mod signals;
#[path = "deliver/tls.rs"]
mod tls;
#[path = "deliver/v311.rs"]
mod v311;

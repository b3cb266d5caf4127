//! Delivery as a whole: outbox, publisher and the other end, against a real Mosquitto.

mod common;

#[allow(dead_code, reason = "shared with the campaign")]
#[path = "chaos/book.rs"]
mod book;
#[path = "chaos/book_tests.rs"]
mod book_tests;
#[path = "deliver/broker.rs"]
mod broker;
#[allow(dead_code, reason = "the campaign's, which has tests here")]
#[path = "chaos/causes.rs"]
mod causes;
#[path = "deliver/crash.rs"]
mod crash;
#[path = "deliver/fixture.rs"]
mod fixture;
#[path = "deliver/pictures.rs"]
mod pictures;
#[path = "deliver/presence.rs"]
mod presence;
#[path = "deliver/quota.rs"]
mod quota;
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

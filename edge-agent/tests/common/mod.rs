//! What integration tests share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod contract;
pub(crate) mod mosquitto;
pub(crate) mod nats;
pub(crate) mod process;
pub(crate) mod proxy;

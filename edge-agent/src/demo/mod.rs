//! What `edge-agent demo` and the tests need in place of a site.

pub mod broker;
mod damage;
mod encode;
mod feed;
pub mod rtsp;

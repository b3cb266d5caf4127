//! Any bytes through one of the doors of `edge_agent::hostile`, the one that `NGATU_DOOR` names.
#![no_main]

use std::sync::LazyLock;

use edge_agent::hostile::{DOORS, Door, door};

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    let name = std::env::var("NGATU_DOOR").unwrap_or_default();
    door(&name).unwrap_or_else(|| panic!("set NGATU_DOOR to one of {:?}", DOORS.map(|(name, _)| name)))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| DOOR(bytes));

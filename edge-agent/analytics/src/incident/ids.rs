//! Event and incident ids: UUIDv7 (RFC 9562 §5.7) whose random bits are drawn from a seed, so that a replay repeats them.

use uuid::{Builder, Uuid};

use crate::id::CameraId;
use crate::time::{FrameStamp, WallTime};

/// The ids of one camera's session: unique within it, and by the seed across sessions and cameras.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    drawn: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next id, with the frame's wall time.
    pub(crate) fn next(&mut self, stamp: &FrameStamp) -> Uuid {
        self.next_at(&stamp.camera, stamp.captured_at)
    }

    /// The next id of a camera, with this wall time.
    pub(crate) fn next_at(&mut self, camera: &CameraId, time: WallTime) -> Uuid {
        let key = mix(self.seed ^ mix(hash(camera.as_str())));
        let bits = [mix(key.wrapping_add(2 * self.drawn)), mix(key.wrapping_add(2 * self.drawn + 1))];
        self.drawn += 1;
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&bits[0].to_be_bytes());
        bytes[8..].copy_from_slice(&bits[1].to_be_bytes()[..2]);
        Builder::from_unix_timestamp_millis(time.as_unix_millis(), &bytes).into_uuid()
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::time::MediaTime;

    fn stamp(camera: &str) -> FrameStamp {
        FrameStamp {
            camera: CameraId::new(camera).expect("id"),
            seq: 1,
            pts: MediaTime::ZERO,
            captured_at: WallTime::from_unix_nanos(1_700_000_000_123_456_789),
        }
    }

    #[test]
    fn ids_are_version_7_of_the_frames_time() {
        let id = Ids::new(1).next(&stamp("cam"));
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(id.as_u128() >> 80, 1_700_000_000_123);
    }

    #[test]
    fn ids_never_repeat_within_a_session_nor_across_cameras_and_seeds() {
        let mut all = BTreeSet::new();
        for camera in ["a", "b"] {
            for seed in 0..10 {
                let mut ids = Ids::new(seed);
                all.extend((0..5_000).map(|_| ids.next(&stamp(camera))));
            }
        }
        assert_eq!(all.len(), 100_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let draw = || {
            let mut ids = Ids::new(7);
            [ids.next(&stamp("cam")), ids.next(&stamp("cam"))]
        };
        assert_eq!(draw(), draw());
    }
}

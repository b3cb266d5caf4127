//! Overload and heat in hardware profiles, and what a camera says of its own place on the ladder.

use std::time::Duration;

use crate::ladder::{LadderParams, ThermalParams};

use super::raw::{RawCamera, RawLadder, RawThermal};
use super::resolve::Resolver;

/// Less than this tells nothing: the box is looked at once a second.
const LEAST_WAIT: Duration = Duration::from_secs(3);

/// Cameras of greater numbers give way first.
const LEAST_PRIORITY: u8 = 9;

/// What of a camera's pictures is decoded.
const DECODE: [&str; 2] = ["all", "key-frames"];

impl Resolver<'_> {
    pub(super) fn thermal(&mut self, raw: &RawThermal) -> ThermalParams {
        let built_in = ThermalParams::default();
        let params = ThermalParams {
            warn_c: raw.warn_c.unwrap_or(built_in.warn_c),
            limit_c: raw.limit_c.unwrap_or(built_in.limit_c),
            hysteresis_c: raw.hysteresis_c.unwrap_or(built_in.hysteresis_c),
            zones: raw.zones.clone().unwrap_or(built_in.zones),
        };
        for (key, value, most) in [
            ("thermal.warn_c", params.warn_c, 150.0),
            ("thermal.limit_c", params.limit_c, 150.0),
            ("thermal.hysteresis_c", params.hysteresis_c, 50.0),
        ] {
            if !(0.0..=most).contains(&value) {
                self.error(key, format!("is {value}"), format!("write degrees Celsius, 0 to {most}"));
            }
        }
        if params.warn_c > params.limit_c {
            let what = format!("is {}, and warn_c is {}", params.limit_c, params.warn_c);
            self.error("thermal.limit_c", what, "write a limit that is not below warn_c");
        }
        params
    }

    pub(super) fn ladder(&mut self, raw: &RawLadder) -> LadderParams {
        let built_in = LadderParams::default();
        let params = LadderParams {
            enabled: raw.enabled.unwrap_or(built_in.enabled),
            least_fps: raw.least_fps.unwrap_or(built_in.least_fps),
            down_after: raw.down_after.map_or(built_in.down_after, |text| text.0),
            up_after: raw.up_after.map_or(built_in.up_after, |text| text.0),
        };
        self.analyse_fps("ladder.least_fps", params.least_fps);
        for (key, wait) in [("ladder.down_after", params.down_after), ("ladder.up_after", params.up_after)] {
            if wait < LEAST_WAIT {
                self.error(key, "is too short to tell anything", "write \"3s\" or more");
            }
        }
        params
    }

    pub(super) fn priority(&mut self, key: &str, raw: Option<u8>) -> u8 {
        let priority = raw.unwrap_or(1);
        if !(1..=LEAST_PRIORITY).contains(&priority) {
            let cure = format!("write 1 (matters most, default) to {LEAST_PRIORITY}");
            self.error(key, format!("is {priority}"), cure);
        }
        priority
    }

    /// Whether key frames alone are decoded.
    pub(super) fn key_frames_only(&mut self, index: usize, raw: &RawCamera) -> bool {
        let word = raw.decode.as_deref().unwrap_or("all");
        if !DECODE.contains(&word) {
            self.unknown(&format!("camera[{index}].decode"), word, "way to decode", &DECODE);
        }
        let key_frames_only = word == "key-frames";
        if key_frames_only {
            let what = "decodes key frames alone: a frame every one to four seconds, too few to follow what moves";
            self.notices.push(format!("camera[{index}] {what}"));
        }
        key_frames_only
    }
}

//! Times, sequence numbers and measures as they are written.

use std::borrow::Cow;
use std::fmt;

use analytics::WallTime;
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Word;

/// A time as RFC 3339 in UTC with `Z` and exactly three digits of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UtcMillis(i64);

impl UtcMillis {
    /// From milliseconds since the Unix epoch, clamped to the years that RFC 3339 can write.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(Timestamp::MIN.as_second() * 1000, Timestamp::MAX.as_second() * 1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// The system's clock.
    #[must_use]
    pub fn now() -> Self {
        Self(Timestamp::now().as_millisecond())
    }

    /// As a timestamp.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).expect("clamped to the range of timestamps")
    }
}

impl From<WallTime> for UtcMillis {
    fn from(time: WallTime) -> Self {
        Self(time.as_unix_nanos().div_euclid(1_000_000))
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl Serialize for UtcMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self::from_unix_millis(time.as_millisecond()))
    }
}

impl JsonSchema for UtcMillis {
    fn schema_name() -> Cow<'static, str> {
        "UtcMillis".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        })
    }
}

/// A gapless number per outbox, written with 20 digits so that texts sort as numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Sequence {
    fn schema_name() -> Cow<'static, str> {
        "Sequence".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{20}$" })
    }
}

/// Named numbers in the rule's own order; the name carries the unit. Written as one object, rounded to 3 decimals.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures(Vec<(Word, f64)>);

impl Measures {
    /// From a rule's measures. Numbers that JSON cannot write are left out.
    #[must_use]
    pub fn new(measures: &[analytics::Measure]) -> Self {
        let finite = measures.iter().filter(|(_, value)| value.is_finite());
        Self(finite.map(|(name, value)| (Word::Borrowed(*name), round(*value, 3))).collect())
    }

    /// The number of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<f64> {
        self.iter().find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Names and numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

impl Serialize for Measures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, &Plain(*value))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Measures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Measures;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measures, A::Error> {
                let mut measures = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, f64>()? {
                    measures.push((Word::Owned(name), value));
                }
                Ok(Measures(measures))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl JsonSchema for Measures {
    fn schema_name() -> Cow<'static, str> {
        "Measures".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$" },
            "additionalProperties": { "type": "number" },
        })
    }
}

/// Writes whole numbers without a fraction: `120`, not `120.0`.
struct Plain(f64);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// `value` with at most `decimals` decimals, never `-0`.
pub(super) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_three_digits() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_329_012_480_999_999, "2026-11-22T06:30:12.480Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            let time = UtcMillis::from(WallTime::from_unix_nanos(nanos));
            assert_eq!(time.to_string(), text);
            let read: UtcMillis = serde_json::from_str(&format!("\"{text}\"")).expect("own text");
            assert_eq!(read, time);
        }
    }

    #[test]
    fn measures_keep_their_order_and_are_plain_numbers() {
        let measures = Measures::new(&[("hold_s", 1.5), ("angle_deg", 120.0), ("nan", f64::NAN), ("x", -0.0001)]);
        let json = serde_json::to_string(&measures).expect("writes");
        assert_eq!(json, r#"{"hold_s":1.5,"angle_deg":120,"x":0}"#);
        assert_eq!(serde_json::from_str::<Measures>(&json).expect("reads"), measures);
    }

    #[test]
    fn sequences_sort_as_texts() {
        assert!(Sequence(9).to_string() < Sequence(10).to_string());
        assert_eq!(serde_json::from_str::<Sequence>("\"00000000000000000042\"").expect("reads"), Sequence(42));
    }
}

//! Values that carry their unit: `"2s"`, `"512 MiB"`, `"3 h"`, `"0.1 h/s"`. A unit is never guessed.

use std::borrow::Cow;
use std::time::Duration;

use analytics::rules::Size;
use analytics::{Length, Speed, Unit};
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::explain::counted;

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $parse:ident, $pattern:literal, $description:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer).map_err(|_| D::Error::custom($description))?;
                $parse(&text).map(Self).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

text_value! {
    /// A duration: a number and `ms`, `s`, `m`, `h` or `d`.
    DurationText(Duration), parse_duration, r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)$",
    "is not a duration → write a number and a unit in quotes, such as \"500ms\", \"2s\" or \"1h\""
}

text_value! {
    /// A day, of one year or of every year: `2027-02-06`, `09-02`.
    DateText(HolidayDate), parse_date, r"^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    "is not a date → write it in quotes, such as \"2027-02-06\", or \"09-02\" for every year"
}

text_value! {
    /// A size in bytes: a number and `KiB`, `MiB`, `GiB` (or `KB`, `MB`, `GB`).
    SizeText(u64), parse_size, r"^[0-9]+(\.[0-9]+)? ?([KMG]i?B)$",
    "is not a size → write a number and a unit in quotes, such as \"512 MiB\" or \"4 GiB\""
}

text_value! {
    /// A distance in heights of the object's own box: `"3 h"`.
    Heights(f64), parse_heights, r"^[0-9]+(\.[0-9]+)? ?h$",
    "is not a distance → write it in box heights and in quotes, such as \"3 h\""
}

text_value! {
    /// A distance: in heights of the object's own box, `"3 h"`, or on the ground of a calibrated camera, `"8 m"`.
    LengthText(Length), parse_length, r"^[0-9]+(\.[0-9]+)? ?(h|m)$",
    "is not a distance → write it in quotes, in box heights or metres, such as \"3 h\" or \"8 m\""
}

text_value! {
    /// A speed: in heights of the object's own box per second, `"0.1 h/s"`, or on the ground of a calibrated camera,
    /// `"3 km/h"`.
    SpeedText(Speed), parse_speed, r"^[0-9]+(\.[0-9]+)? ?(h/s|km/h|m/s)$",
    "is not a speed → write it in quotes, in box heights a second or km/h, such as \"0.1 h/s\" or \"3 km/h\""
}

text_value! {
    /// How large a thing is: as a share of the picture's width, `"2 %"`, or on the ground of a calibrated camera, `"0.3 m"`.
    ExtentText(Size), parse_extent, r"^[0-9]+(\.[0-9]+)? ?(%|m)$",
    "is no size of a thing → write it in quotes, as a share of the picture's width or in metres, such as \"2 %\" or \"0.3 m\""
}

/// Exactly `N` numbers: a point, a region. (A list deserialized as an array would forgive what is beyond its end.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers<const N: usize>(pub [f64; N]);

impl<'de, const N: usize> Deserialize<'de> for Numbers<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = |what: String| {
            D::Error::custom(format!("{what} → write {N} numbers in square brackets for each, with decimal points"))
        };
        let numbers =
            Vec::<f64>::deserialize(deserializer).map_err(|_| wrong(format!("holds what is not {N} numbers")))?;
        let count = numbers.len();
        numbers.try_into().map(Self).map_err(|_| wrong(format!("has {} where {N} belong", counted(count, "number"))))
    }
}

/// Splits a non-negative decimal number from what follows it.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    number.is_finite().then(|| (number, text[end..].trim()))
}

/// Parses a duration such as `500ms`, `2s` or `1h`.
///
/// # Errors
/// What is wrong with it and how to write it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = split_number(text).and_then(|(number, unit)| {
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        Some(number * factor)
    });
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| {
        format!(
            "\"{text}\" is not a duration → write a number and a unit, such as \"500ms\", \"2s\", \"10m\" or \"1h\""
        )
    })
}

/// A day, of one year or of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolidayDate {
    /// A day of the calendar.
    Once(Date),
    /// Month and day.
    EveryYear(i8, i8),
}

/// The 29th of February is a day of every year, though not every year has it.
const LEAP_YEAR: i16 = 2000;

fn parse_date(text: &str) -> Result<HolidayDate, String> {
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<i16>().ok())
            .flatten()
    };
    let month_day = |month: &str, day: &str| Some((number(month, 2)? as i8, number(day, 2)? as i8));
    let parts: Vec<&str> = text.split('-').collect();
    let (date, is_date) = match parts.as_slice() {
        [year, month, day] => {
            let numbers = number(year, 4).zip(month_day(month, day));
            let date = numbers.and_then(|(year, (month, day))| Date::new(year, month, day).ok());
            (date.map(HolidayDate::Once), numbers.is_some())
        }
        [month, day] => {
            let numbers = month_day(month, day);
            let date = numbers.filter(|(month, day)| Date::new(LEAP_YEAR, *month, *day).is_ok());
            (date.map(|(month, day)| HolidayDate::EveryYear(month, day)), numbers.is_some())
        }
        _ => (None, false),
    };
    date.ok_or_else(|| {
        let what = if is_date { "is in no calendar" } else { "is not a date" };
        format!("\"{text}\" {what} → write year, month and day, such as \"2027-02-06\", or \"09-02\" for every year")
    })
}

fn parse_size(text: &str) -> Result<u64, String> {
    let bytes = split_number(text).and_then(|(number, unit)| {
        let factor = match unit {
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            _ => return None,
        };
        Some((number * factor).round() as u64)
    });
    bytes.ok_or_else(|| {
        format!("\"{text}\" is not a size → write a number and a unit, such as \"512 MiB\" or \"4 GiB\"")
    })
}

fn parse_heights(text: &str) -> Result<f64, String> {
    match split_number(text) {
        Some((number, "h")) => Ok(number),
        _ => Err(format!("\"{text}\" is not a distance in box heights → write it such as \"3 h\"")),
    }
}

fn parse_length(text: &str) -> Result<Length, String> {
    match split_number(text) {
        Some((number, "h")) => Ok(Length::heights(number)),
        Some((number, "m")) => Ok(Length::metres(number)),
        _ => {
            Err(format!("\"{text}\" is not a distance → write it in box heights or metres, such as \"3 h\" or \"8 m\""))
        }
    }
}

fn parse_extent(text: &str) -> Result<Size, String> {
    match split_number(text) {
        Some((number, "%")) => Ok(Size::Share(number / 100.0)),
        Some((number, "m")) => Ok(Size::Metres(number)),
        _ => Err(format!(
            "\"{text}\" is no size of a thing → write a share of the picture's width or metres, such as \"2 %\" or \"0.3 m\""
        )),
    }
}

fn parse_speed(text: &str) -> Result<Speed, String> {
    match split_number(text) {
        Some((number, "h/s")) => Ok(Speed::heights_per_s(number)),
        Some((number, "km/h")) => Ok(Speed::km_per_h(number)),
        Some((number, "m/s")) => Ok(Speed { value: number, unit: Unit::Metres }),
        _ => Err(format!(
            "\"{text}\" is not a speed → write it in box heights a second or km/h, such as \"0.1 h/s\" or \"3 km/h\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5 s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for bad in ["", "2", "s", "-1s", "2 sec", "1e400s", "NaNs", "999999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_carry_their_unit() {
        assert_eq!(parse_size("512 MiB"), Ok(512 << 20));
        assert_eq!(parse_size("4GB"), Ok(4_000_000_000));
        assert!(parse_size("512").is_err());
    }

    #[test]
    fn lengths_and_speeds_carry_their_unit() {
        assert_eq!(parse_length("3 h"), Ok(Length::heights(3.0)));
        assert_eq!(parse_length("8m"), Ok(Length::metres(8.0)));
        assert_eq!(parse_speed("0.1 h/s"), Ok(Speed::heights_per_s(0.1)));
        assert_eq!(parse_speed("36 km/h"), Ok(Speed { value: 10.0, unit: Unit::Metres }));
        for bad in ["3", "8 km", "h", "-1 m"] {
            assert!(parse_length(bad).is_err(), "{bad:?}");
        }
        assert_eq!(parse_extent("2 %"), Ok(Size::Share(0.02)));
        assert_eq!(parse_extent("0.3 m"), Ok(Size::Metres(0.3)));
        assert!(parse_extent("3 h").is_err());
        for bad in ["3", "3 h", "3 mph"] {
            assert!(parse_speed(bad).is_err(), "{bad:?}");
        }
        assert!(parse_heights("8 m").is_err());
    }
}

//! The site's calendar: what its clock shows at an instant, and which days are holidays.

use std::path::Path;
use std::sync::Arc;

use analytics::WallTime;
use analytics::schedule::{Day, LocalTime, Weekday};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::document::Document;
use super::error::ConfigErrors;
use super::raw::{RawHoliday, RawHolidays};
use super::resolve::Resolver;
use super::site::Name;
use super::value::HolidayDate;

/// Longer than any holiday: a year that was mistyped must not disarm a rule for a year.
const LONGEST_DAYS: i32 = 31;

/// A day or days on which a site keeps other hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// As operators read it.
    pub name: Name,
    days: Days,
}

/// First and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Days {
    Once(Date, Date),
    /// Month and day.
    EveryYear((i8, i8), (i8, i8)),
}

impl Days {
    fn contain(self, date: Date) -> bool {
        match self {
            Self::Once(from, to) => (from..=to).contains(&date),
            Self::EveryYear(from, to) => (from..=to).contains(&(date.month(), date.day())),
        }
    }

    /// Whether they share a day; days of one year and days of every year may.
    fn overlap(self, other: Self) -> bool {
        match (self, other) {
            (Self::Once(from, to), Self::Once(other_from, other_to)) => from <= other_to && other_from <= to,
            (Self::EveryYear(from, to), Self::EveryYear(other_from, other_to)) => from <= other_to && other_from <= to,
            _ => false,
        }
    }
}

/// A site's time zone and holidays.
#[derive(Debug, Clone)]
pub struct Calendar {
    timezone: TimeZone,
    holidays: Arc<[Holiday]>,
}

impl Calendar {
    /// Of a time zone, with its holidays.
    #[must_use]
    pub fn new(timezone: TimeZone, holidays: Arc<[Holiday]>) -> Self {
        Self { timezone, holidays }
    }

    /// What the site's clock shows at `at`.
    #[must_use]
    pub fn local(&self, at: WallTime) -> LocalTime {
        let local = self.timezone.to_datetime(timestamp(at));
        let day = |date: Date| Day {
            weekday: Weekday::ALL[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())],
            is_holiday: self.holiday(date).is_some(),
        };
        let today = local.date();
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        LocalTime { today: day(today), yesterday: day(today.yesterday().unwrap_or(today)), minute }
    }

    /// The holiday on this day.
    #[must_use]
    pub fn holiday(&self, date: Date) -> Option<&Holiday> {
        self.holidays.iter().find(|holiday| holiday.days.contain(date))
    }

    /// The first holiday from `at` on, within a year.
    #[must_use]
    pub fn next_holiday(&self, at: WallTime) -> Option<(Date, &Holiday)> {
        let today = self.timezone.to_datetime(timestamp(at)).date();
        today.series(1.day()).take(366).find_map(|date| Some((date, self.holiday(date)?)))
    }
}

fn timestamp(at: WallTime) -> Timestamp {
    // Every i64 of nanoseconds is within jiff's range.
    Timestamp::from_nanosecond(at.as_unix_nanos().into()).unwrap_or_default()
}

/// Reads a file of holidays.
pub(super) fn read_holidays(file: &Path, errors: &mut ConfigErrors) -> Option<(Arc<[Holiday]>, Document)> {
    let document = Document::read(file).map_err(|more| errors.0.extend(more.0)).ok()?;
    let raw: RawHolidays = document.deserialize(errors)?;
    let mut resolver = Resolver::with_errors(&document, std::mem::take(errors));
    if raw.holiday.is_empty() {
        resolver.missing("holiday", "add a [[holiday]] with date and name");
    }
    let mut holidays: Vec<Holiday> = Vec::new();
    for (index, raw) in raw.holiday.iter().enumerate() {
        let Some(holiday) = resolver.holiday(&format!("holiday[{index}]"), raw) else { continue };
        if let Some(known) = holidays.iter().find(|known| known.days.overlap(holiday.days)) {
            let what = format!("is a holiday already: \"{}\"", known.name.vi);
            resolver.error(&format!("holiday[{index}].date"), what, "remove one of the two, or correct its days");
        }
        holidays.push(holiday);
    }
    *errors = resolver.errors;
    Some((holidays.into(), document))
}

impl Resolver<'_> {
    fn holiday(&mut self, key: &str, raw: &RawHoliday) -> Option<Holiday> {
        let (date_key, to_key) = (format!("{key}.date"), format!("{key}.to"));
        let cure = "write the day, such as \"2027-02-06\", or \"09-02\" for every year";
        let date = self.required(&date_key, raw.date.as_ref(), cure).map(|text| text.0);
        let name = self.name(&format!("{key}.name"), raw.name.as_ref());
        let to = raw.to.map(|text| text.0);
        let days = match (date?, to) {
            (HolidayDate::Once(from), None) => Days::Once(from, from),
            (HolidayDate::EveryYear(month, day), None) => Days::EveryYear((month, day), (month, day)),
            (HolidayDate::Once(from), Some(HolidayDate::Once(to))) => {
                let nights = (to - from).get_days();
                if to >= from && nights >= LONGEST_DAYS {
                    let what = format!("makes a holiday of {} days", nights + 1);
                    self.error(&to_key, what, "correct the year; a holiday has at most 31 days");
                    return None;
                }
                Days::Once(from, to)
            }
            (HolidayDate::EveryYear(month, day), Some(HolidayDate::EveryYear(to_month, to_day))) => {
                Days::EveryYear((month, day), (to_month, to_day))
            }
            _ => {
                self.error(&to_key, "is of another form than date", "write both with their year, or both without");
                return None;
            }
        };
        let is_reversed = match days {
            Days::Once(from, to) => to < from,
            Days::EveryYear(from, to) => to < from,
        };
        if is_reversed {
            let cure = match days {
                Days::Once(..) => "exchange the two, or correct the year",
                Days::EveryYear(..) => "exchange the two; over New Year, write two holidays",
            };
            self.error(&to_key, "is before date", cure);
            return None;
        }
        Some(Holiday { name: name?, days })
    }
}

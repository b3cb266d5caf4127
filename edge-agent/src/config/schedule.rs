//! Schedules, resolved: when a rule is armed.

use analytics::Schedule;
use analytics::schedule::{Holidays, Hours, Weekday, Weekdays, Window};

use super::raw::{DAY_GROUPS, OneOrMany, RawWindow};
use super::resolve::Resolver;

/// What is wrong with a window: the key within it, what, and the cure.
type Wrong = (&'static str, String, String);

impl Resolver<'_> {
    /// Reports everything that is wrong with a schedule.
    pub(super) fn check_schedule(&mut self, key: &str, raw: &OneOrMany<RawWindow>) {
        if raw.0.is_empty() {
            self.error(key, "is empty", "write at least one window, or leave the key out: always armed");
        }
        for (index, window) in raw.0.iter().enumerate() {
            let at = if raw.0.len() == 1 { key.to_owned() } else { format!("{key}[{index}]") };
            for (name, word) in days(window).1 {
                let known: Vec<&str> = Weekday::ALL.into_iter().map(Weekday::label).chain(DAY_GROUPS).collect();
                self.unknown(&format!("{at}.{name}"), &word, "day", &known);
            }
            for (name, what, cure) in hours(window).1.into_iter().chain(empty(window)) {
                self.error(&format!("{at}.{name}"), what, cure);
            }
            if let Some(word) = window.holidays.as_ref().filter(|word| holidays(word).is_none()) {
                let known = Holidays::ALL.map(Holidays::label);
                self.unknown(&format!("{at}.holidays"), word, "way with holidays", &known);
            }
        }
    }
}

/// The schedule, of what was checked.
pub(super) fn schedule(raw: &OneOrMany<RawWindow>) -> Schedule {
    let window = |raw: &RawWindow| Window {
        days: days(raw).0,
        hours: hours(raw).0,
        holidays: raw.holidays.as_deref().and_then(holidays).unwrap_or_default(),
    };
    Schedule { windows: raw.0.iter().map(window).collect() }
}

fn empty(raw: &RawWindow) -> impl Iterator<Item = Wrong> {
    let list = |name, list: &Option<OneOrMany<String>>| {
        let wrong = (name, "is empty".to_owned(), "name at least one, or leave the key out: all of them".to_owned());
        list.as_ref().is_some_and(|list| list.0.is_empty()).then_some(wrong)
    };
    [list("days", &raw.days), list("hours", &raw.hours)].into_iter().flatten()
}

fn days(raw: &RawWindow) -> (Weekdays, Vec<(&'static str, String)>) {
    let Some(words) = &raw.days else { return (Weekdays::ALL, Vec::new()) };
    let (mut days, mut unknown) = (Weekdays::from_iter([]), Vec::new());
    for word in &words.0 {
        match day(word) {
            Some(more) => days = days.union(more),
            None => unknown.push(("days", word.clone())),
        }
    }
    (days, unknown)
}

fn day(word: &str) -> Option<Weekdays> {
    match word {
        "weekdays" => Some(Weekdays::WORKDAYS),
        "weekend" => Some(Weekdays::WEEKEND),
        "every-day" => Some(Weekdays::ALL),
        _ => Weekday::ALL.into_iter().find(|day| day.label() == word).map(|day| Weekdays::from_iter([day])),
    }
}

fn hours(raw: &RawWindow) -> (Vec<Hours>, Vec<Wrong>) {
    let Some(texts) = &raw.hours else { return (vec![Hours::ALL], Vec::new()) };
    let (mut hours, mut wrong) = (Vec::new(), Vec::new());
    for text in &texts.0 {
        match parse_hours(text) {
            Ok(more) => hours.push(more),
            Err((what, cure)) => wrong.push(("hours", format!("\"{text}\" {what}"), cure)),
        }
    }
    (hours, wrong)
}

fn parse_hours(text: &str) -> Result<Hours, (String, String)> {
    let cure = "write from and until with a hyphen, such as \"06:00-22:00\"; \"22:00-06:00\" runs over midnight";
    let no_hours = || ("is no stretch of hours".to_owned(), cure.to_owned());
    let (from, until) = text.split_once('-').ok_or_else(no_hours)?;
    let from = minute(from.trim()).ok_or_else(no_hours)?;
    let until = minute(until.trim()).ok_or_else(no_hours)?;
    Hours::new(from, until).map_err(|error| {
        let text = error.to_string();
        let (what, cure) = text.split_once(": ").unwrap_or((&text, cure));
        (what.to_owned(), cure.to_owned())
    })
}

/// Minutes since midnight of `hh:mm`; whether it is on a clock is judged later.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(two_digits(hour) && two_digits(minute)) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    // 25 hours are on no clock; neither are 60 minutes.
    Some(if minute < 60 { hour * 60 + minute } else { u16::MAX })
}

fn holidays(word: &str) -> Option<Holidays> {
    Holidays::ALL.into_iter().find(|holidays| holidays.label() == word)
}

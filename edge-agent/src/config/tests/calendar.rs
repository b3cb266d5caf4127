//! The site's calendar, against one drawn by hand from the days on which clocks change.

use analytics::WallTime;
use analytics::schedule::{Day, LocalTime, Weekday};
use jiff::civil::date;

use super::super::{Calendar, Home, load_site};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60;

/// A time zone's offset in minutes before and after an instant (minutes since 1970).
struct Change {
    zone: &'static str,
    at: i64,
    before: i64,
    after: i64,
}

/// Minutes from 1970 to this time of 2027, without leap days to think of: 1970 to 2026 have 14.
fn utc(month: usize, day: i64, minute: i64) -> i64 {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = 57 * 365 + 14 + LENGTHS[..month - 1].iter().sum::<i64>() + day - 1;
    days * DAY + minute
}

fn changes() -> Vec<Change> {
    vec![
        // Europe: forward at 01:00 UTC on 28 March 2027, back at 01:00 UTC on 31 October.
        Change { zone: "Europe/Berlin", at: utc(3, 28, 60), before: 60, after: 120 },
        Change { zone: "Europe/Berlin", at: utc(10, 31, 60), before: 120, after: 60 },
        // New York: forward at 02:00 local on 14 March, back at 02:00 on 7 November.
        Change { zone: "America/New_York", at: utc(3, 14, 7 * 60), before: -300, after: -240 },
        Change { zone: "America/New_York", at: utc(11, 7, 6 * 60), before: -240, after: -300 },
        // Half an hour, on Lord Howe Island: back on 4 April at 15:00 UTC of the day before.
        Change { zone: "Australia/Lord_Howe", at: utc(4, 3, 15 * 60), before: 660, after: 630 },
        // Việt Nam changes no clock.
        Change { zone: "Asia/Ho_Chi_Minh", at: utc(2, 6, 0), before: 420, after: 420 },
    ]
}

fn calendar(zone: &str) -> Calendar {
    let home = super::wrong::good_home();
    let text = super::wrong::good("site").replacen("id = \"a\"", &format!("id = \"a\"\ntimezone = \"{zone}\""), 1);
    std::fs::write(home.path().join("site.toml"), text).expect("writes");
    let site =
        load_site(&home.path().join("site.toml"), &Home::at(home.path())).unwrap_or_else(|errors| panic!("{errors}"));
    site.calendar()
}

/// 5 to 9 February 2027, and 2 September of every year.
fn is_holiday(local_day: i64) -> bool {
    (utc(2, 5, 0) / DAY..=utc(2, 9, 0) / DAY).contains(&local_day) || local_day == utc(9, 2, 0) / DAY
}

fn day(local_day: i64) -> Day {
    // 1 January 1970 was a Thursday.
    let weekday = Weekday::ALL[usize::try_from((local_day + 3) % 7).expect("after 1970")];
    Day { weekday, is_holiday: is_holiday(local_day) }
}

#[test]
fn every_minute_of_the_weeks_in_which_clocks_change_is_as_the_clock_on_the_wall() {
    for Change { zone, at, before, after } in changes() {
        let calendar = calendar(zone);
        for minute in at - 4 * DAY..at + 4 * DAY {
            let local = minute + if minute < at { before } else { after };
            let (local_day, of_day) = (local / DAY, u16::try_from(local % DAY).expect("of a day"));
            let drawn = LocalTime { today: day(local_day), yesterday: day(local_day - 1), minute: of_day };
            // Any second of the minute.
            let second = minute * MINUTE + minute % MINUTE;
            let shown = calendar.local(WallTime::from_unix_nanos(second * 1_000_000_000));
            assert_eq!(shown, drawn, "{zone}, {} minutes from the change", minute - at);
        }
    }
}

#[test]
fn the_next_holiday_is_found_over_the_end_of_a_year() {
    let calendar = calendar("Asia/Ho_Chi_Minh");
    let next = |month, day| {
        let at = WallTime::from_unix_nanos(utc(month, day, 0) * MINUTE * 1_000_000_000);
        calendar.next_holiday(at).map(|(date, holiday)| (date, holiday.name.en.clone()))
    };
    assert_eq!(next(1, 20), Some((date(2027, 2, 5), "Tết".to_owned())));
    assert_eq!(next(2, 8), Some((date(2027, 2, 8), "Tết".to_owned())), "while it lasts");
    assert_eq!(next(9, 3), Some((date(2028, 9, 2), "National Day".to_owned())), "Tết of 2028 is not in the file");
}

#[test]
fn a_calendar_has_an_answer_for_every_instant() {
    let calendar = calendar("Asia/Ho_Chi_Minh");
    for nanos in [i64::MIN, -1, 0, i64::MAX] {
        assert!(i64::from(calendar.local(WallTime::from_unix_nanos(nanos)).minute) < DAY);
    }
}

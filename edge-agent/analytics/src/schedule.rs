//! When a rule is armed: days, hours and holidays by the site's own calendar.
//!
//! Nothing here reads a clock: the caller says what clock and calendar on the site's wall show ([`LocalTime`]). A
//! [`Window`] that runs over midnight belongs to the day on which it begins: Friday's `22:00-06:00` is armed on Saturday
//! before six whatever is said of Saturdays, and the night into a holiday is no holiday's. By the clock on the wall an
//! hour that a change of clocks leaves out is not armed, and one that it repeats is armed twice.

use std::fmt;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    /// Thứ hai.
    Monday,
    /// Thứ ba.
    Tuesday,
    /// Thứ tư.
    Wednesday,
    /// Thứ năm.
    Thursday,
    /// Thứ sáu.
    Friday,
    /// Thứ bảy.
    Saturday,
    /// Chủ nhật.
    Sunday,
}

impl Weekday {
    /// Monday first.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// The word in files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Monday => "mon",
            Self::Tuesday => "tue",
            Self::Wednesday => "wed",
            Self::Thursday => "thu",
            Self::Friday => "fri",
            Self::Saturday => "sat",
            Self::Sunday => "sun",
        }
    }
}

/// A set of days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);
    /// Monday to Friday.
    pub const WORKDAYS: Self = Self(0b001_1111);
    /// Saturday and Sunday.
    pub const WEEKEND: Self = Self(0b110_0000);

    /// Whether `day` is one of them.
    #[must_use]
    pub const fn contains(self, day: Weekday) -> bool {
        self.0 & (1 << day as u8) != 0
    }

    /// The days of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Self {
        Self(days.into_iter().fold(0, |set, day| set | (1 << day as u8)))
    }
}

/// Days in a row of three or more as `mon-fri`, others one by one.
impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut day = 0;
        while day < 7 {
            let run = (day..7).take_while(|next| self.contains(Weekday::ALL[*next])).count();
            if run >= 3 {
                let (first, last) = (Weekday::ALL[day].label(), Weekday::ALL[day + run - 1].label());
                write!(f, "{separator}{first}-{last}")?;
                separator = ", ";
            } else {
                for day in &Weekday::ALL[day..day + run] {
                    write!(f, "{separator}{}", day.label())?;
                    separator = ", ";
                }
            }
            day += run.max(1);
        }
        Ok(())
    }
}

/// Hours of a day, to the minute; those that end before they begin run over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: u16,
    until: u16,
}

/// Why hours are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHours {
    /// A time that is on no clock.
    #[error("is a time that is on no clock: write 00:00 to 23:59, or 24:00 as an end")]
    NoTime,
    /// From a time to the same time.
    #[error("is no time at all: write 00:00-24:00 for the whole day")]
    Empty,
}

impl Hours {
    /// The whole day.
    pub const ALL: Self = Self { from: 0, until: DAY };

    /// From and until (exclusive), in minutes since midnight; `until` may be 24:00, or 00:00 for the same.
    ///
    /// # Errors
    /// A time that is on no clock, or hours without length.
    pub const fn new(from: u16, until: u16) -> Result<Self, InvalidHours> {
        if from >= DAY || until > DAY {
            return Err(InvalidHours::NoTime);
        }
        if from == until {
            return Err(InvalidHours::Empty);
        }
        let until = if until == 0 { DAY } else { until };
        Ok(Self { from, until })
    }

    const fn runs_over_midnight(self) -> bool {
        self.until < self.from
    }

    /// The part that lies on the day on which they begin.
    const fn contains_today(self, minute: u16) -> bool {
        self.from <= minute && (minute < self.until || self.runs_over_midnight())
    }

    /// The part that lies on the day after.
    const fn contains_tomorrow(self, minute: u16) -> bool {
        self.runs_over_midnight() && minute < self.until
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

/// What a holiday does to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holidays {
    /// A holiday is a day like any other.
    #[default]
    Ignore,
    /// Not armed on holidays.
    Closed,
    /// Armed on holidays only.
    Only,
}

impl Holidays {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Ignore, Self::Closed, Self::Only];

    /// The word in files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Closed => "closed",
            Self::Only => "only",
        }
    }
}

/// A day of the site's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its name.
    pub weekday: Weekday,
    /// Whether the site keeps it as a holiday.
    pub is_holiday: bool,
}

/// What clock and calendar on the site's wall show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Today.
    pub today: Day,
    /// The day before.
    pub yesterday: Day,
    /// Minutes since midnight, as the clock shows them.
    pub minute: u16,
}

impl LocalTime {
    /// A Monday at midnight that is no holiday: for what is never scheduled.
    pub const MONDAY: Self = Self {
        today: Day { weekday: Weekday::Monday, is_holiday: false },
        yesterday: Day { weekday: Weekday::Sunday, is_holiday: false },
        minute: 0,
    };
}

/// Hours of certain days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins.
    pub days: Weekdays,
    /// Its hours on each.
    pub hours: Vec<Hours>,
    /// What a holiday does to it.
    pub holidays: Holidays,
}

impl Window {
    fn contains(&self, at: LocalTime) -> bool {
        let begun = |day: Day, within: fn(Hours, u16) -> bool| {
            self.begins_on(day) && self.hours.iter().any(|hours| within(*hours, at.minute))
        };
        begun(at.today, Hours::contains_today) || begun(at.yesterday, Hours::contains_tomorrow)
    }

    fn begins_on(&self, day: Day) -> bool {
        self.days.contains(day.weekday)
            && match self.holidays {
                Holidays::Ignore => true,
                Holidays::Closed => !day.is_holiday,
                Holidays::Only => day.is_holiday,
            }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.holidays, self.days) {
            (Holidays::Only, Weekdays::ALL) => write!(f, "holidays")?,
            (Holidays::Only, days) => write!(f, "holidays on {days}")?,
            (_, Weekdays::ALL) => write!(f, "every day")?,
            (_, days) => write!(f, "{days}")?,
        }
        if self.hours != [Hours::ALL] {
            for (index, hours) in self.hours.iter().enumerate() {
                write!(f, "{}{hours}", if index == 0 { " " } else { ", " })?;
            }
        }
        if self.holidays == Holidays::Closed { write!(f, " but holidays") } else { Ok(()) }
    }
}

/// When a rule is armed: in any of its windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// At least one.
    pub windows: Vec<Window>,
}

impl Schedule {
    /// Whether a rule with this schedule is armed at this time.
    #[must_use]
    pub fn is_armed(&self, at: LocalTime) -> bool {
        self.windows.iter().any(|window| window.contains(at))
    }

    /// Whether it asks for holidays: without a calendar of holidays it cannot be answered.
    #[must_use]
    pub fn asks_for_holidays(&self) -> bool {
        self.windows.iter().any(|window| window.holidays != Holidays::Ignore)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, window) in self.windows.iter().enumerate() {
            write!(f, "{}{window}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window() -> impl Strategy<Value = Window> {
        let hours = (0..DAY, 0..=DAY).prop_filter_map("no length", |(from, until)| Hours::new(from, until).ok());
        let holidays = proptest::sample::select(Holidays::ALL.to_vec());
        (1u8..128, proptest::collection::vec(hours, 1..4), holidays).prop_map(|(days, hours, holidays)| Window {
            days: Weekdays(days),
            hours,
            holidays,
        })
    }

    /// Every minute of a week, drawn day by day as one would on paper: what begins on the Sunday before, then each day's.
    fn drawn(schedule: &Schedule, holidays: [bool; 8]) -> Vec<bool> {
        let day = usize::from(DAY);
        let mut week = vec![false; 8 * day + day];
        for window in &schedule.windows {
            for (index, is_holiday) in holidays.into_iter().enumerate() {
                let weekday = Weekday::ALL[(index + 6) % 7];
                let chosen = match window.holidays {
                    Holidays::Ignore => true,
                    Holidays::Closed => !is_holiday,
                    Holidays::Only => is_holiday,
                };
                if !chosen || window.days.0 >> ((index + 6) % 7) & 1 == 0 {
                    continue;
                }
                assert_eq!(window.days.contains(weekday), chosen);
                for hours in &window.hours {
                    let from = index * day + usize::from(hours.from);
                    let length = (usize::from(hours.until) + day - usize::from(hours.from) - 1) % day + 1;
                    week[from..from + length].fill(true);
                }
            }
        }
        week[day..8 * day].to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn every_minute_of_a_week_is_as_drawn(
            windows in proptest::collection::vec(window(), 1..4), holidays in any::<[bool; 8]>()
        ) {
            let schedule = Schedule { windows };
            let drawn = drawn(&schedule, holidays);
            let day = |index: usize| Day { weekday: Weekday::ALL[(index + 6) % 7], is_holiday: holidays[index] };
            for (number, armed) in drawn.into_iter().enumerate() {
                let index = number / usize::from(DAY) + 1;
                let minute = (number % usize::from(DAY)) as u16;
                let at = LocalTime { today: day(index), yesterday: day(index - 1), minute };
                prop_assert_eq!(schedule.is_armed(at), armed, "{} at {:?}", &schedule, at);
            }
        }
    }

    #[test]
    fn hours_end_at_midnight_however_it_is_written() {
        assert_eq!(Hours::new(22 * 60, 0), Hours::new(22 * 60, DAY));
        assert_eq!(Hours::new(0, DAY), Ok(Hours::ALL));
        assert_eq!(Hours::new(DAY, 360), Err(InvalidHours::NoTime));
        assert_eq!(Hours::new(0, DAY + 1), Err(InvalidHours::NoTime));
        assert_eq!(Hours::new(480, 480), Err(InvalidHours::Empty));
    }

    #[test]
    fn a_schedule_reads_as_a_person_would_say_it() {
        let hours = |from: u16, until: u16| Hours::new(from * 60, until * 60).expect("hours");
        let windows = vec![
            Window { days: Weekdays::WORKDAYS, hours: vec![hours(18, 6)], holidays: Holidays::Closed },
            Window { days: Weekdays::WEEKEND, hours: vec![Hours::ALL], holidays: Holidays::Ignore },
            Window { days: Weekdays::ALL, hours: vec![hours(6, 9), hours(16, 19)], holidays: Holidays::Ignore },
            Window { days: Weekdays::ALL, hours: vec![Hours::ALL], holidays: Holidays::Only },
        ];
        assert_eq!(
            Schedule { windows }.to_string(),
            "mon-fri 18:00-06:00 but holidays; sat, sun; every day 06:00-09:00, 16:00-19:00; holidays"
        );
    }
}

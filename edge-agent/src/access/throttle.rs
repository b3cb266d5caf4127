//! How long a log-in must wait after others failed. Time is an argument.
//!
//! Pauses grow for an address (a /64 of IPv6) and for an account, from the [`FREE`]th failure on, doubling. They are counted
//! for names that nobody has, too: a pause tells nothing about who is there.
//!
//! # The trade-off
//! A pause of an *account* also keeps its owner out. So it stays short ([`ACCOUNT_AT_MOST`]), a refused try does not
//! prolong it, and an address from which the owner has logged in before is not held by it, only by its own failures
//! (OWASP, "Slow Down Online Guessing Attacks with Device Cookies", with the address for the cookie). Whoever guesses from many
//! addresses is left about 2,900 tries a day at one account: with [`super::password::LEAST_CHARS`] characters not enough; a
//! client certificate, which no pause concerns, is the way out of any siege.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures that cost no pause: people mistype.
const FREE: u32 = 3;
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause of an account.
pub const ACCOUNT_AT_MOST: Duration = Duration::from_secs(30);
/// The longest pause of an address.
pub const ADDRESS_AT_MOST: Duration = Duration::from_secs(15 * 60);
/// Failures so old are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Of each kind, kept in mind; those with the fewest failures go first.
const KNOWN: usize = 1024;

/// A network that one person is taken to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Neighbourhood(IpAddr);

impl From<IpAddr> for Neighbourhood {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::V6((address.to_bits() >> 64 << 64).into())),
            address => Self(address),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// `None`: so few cost no pause.
    fn pause_ends(self, at_most: Duration) -> Option<Instant> {
        let doublings = self.count.checked_sub(FREE)?.min(16);
        Some(self.last + (FIRST * (1 << doublings)).min(at_most))
    }
}

/// What failed of late.
#[derive(Debug, Default)]
pub struct Throttle {
    accounts: HashMap<Box<str>, Failures>,
    addresses: HashMap<Neighbourhood, Failures>,
    /// Who logged in from where.
    at_home: HashMap<(Box<str>, Neighbourhood), Instant>,
}

impl Throttle {
    /// How long a log-in must still wait; `None`: it may be tried now.
    #[must_use]
    pub fn wait(&self, name: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let address = Neighbourhood::from(address);
        let of_address = self.addresses.get(&address).and_then(|failures| failures.pause_ends(ADDRESS_AT_MOST));
        let is_at_home = self.at_home.contains_key(&(name.into(), address));
        let of_account = self.accounts.get(name).filter(|_| !is_at_home);
        let of_account = of_account.and_then(|failures| failures.pause_ends(ACCOUNT_AT_MOST));
        let until = of_address.into_iter().chain(of_account).max()?;
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// One that was tried failed.
    pub fn failed(&mut self, name: &str, address: IpAddr, now: Instant) {
        count(&mut self.accounts, name.into(), now);
        count(&mut self.addresses, address.into(), now);
    }

    /// One that was tried succeeded.
    pub fn succeeded(&mut self, name: &str, address: IpAddr, now: Instant) {
        let address = Neighbourhood::from(address);
        self.accounts.remove(name);
        self.addresses.remove(&address);
        if self.at_home.len() >= KNOWN {
            let oldest = self.at_home.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone());
            oldest.map(|key| self.at_home.remove(&key));
        }
        self.at_home.insert((name.into(), address), now);
    }
}

fn count<K: Hash + Eq + Clone>(known: &mut HashMap<K, Failures>, key: K, now: Instant) {
    if known.len() >= KNOWN && !known.contains_key(&key) {
        known.retain(|_, failures| now.saturating_duration_since(failures.last) < FORGOTTEN_AFTER);
        let least = known.iter().min_by_key(|(_, failures)| (failures.count, failures.last));
        if let Some(key) = least.filter(|_| known.len() >= KNOWN).map(|(key, _)| key.clone()) {
            known.remove(&key);
        }
    }
    let failures = known.entry(key).or_insert(Failures { count: 0, last: now });
    if now.saturating_duration_since(failures.last) >= FORGOTTEN_AFTER {
        failures.count = 0;
    }
    *failures = Failures { count: failures.count.saturating_add(1), last: now };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Fails as soon as it may, so often; the time when the last one failed.
    fn fail(throttle: &mut Throttle, name: &str, from: impl Fn(u32) -> IpAddr, times: u32, start: Instant) -> Instant {
        let mut now = start;
        for time in 0..times {
            now += throttle.wait(name, from(time), now).unwrap_or_default();
            throttle.failed(name, from(time), now);
        }
        now
    }

    #[test]
    fn pauses_grow_from_the_third_failure_on_up_to_a_limit() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..14 {
            throttle.failed("an", address(1), now);
            let wait = throttle.wait("an", address(1), now).unwrap_or_default();
            pauses.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(throttle.wait("an", address(1), now), None, "a pause is over when it is over");
        assert_eq!(throttle.wait("binh", address(2), now), None, "others do not wait");
    }

    #[test]
    fn a_siege_of_an_account_keeps_strangers_out_for_half_a_minute_and_its_owner_at_home_not_at_all() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        throttle.succeeded("an", address(7), start);
        // Each try from another address.
        let many = |time: u32| IpAddr::from([10, 1, (time >> 8) as u8, time as u8]);
        let now = fail(&mut throttle, "an", many, 500, start);
        assert_eq!(throttle.wait("an", address(9), now), Some(ACCOUNT_AT_MOST));
        assert_eq!(throttle.wait("an", address(7), now), None);
        assert_eq!(throttle.wait("binh", address(9), now), None);
        // What may be tried in a day.
        let day = Duration::from_secs(86_400);
        let tries = (0..).scan(Instant::now(), |now, _| {
            *now += ACCOUNT_AT_MOST;
            Some(*now)
        });
        let start = Instant::now();
        assert!(tries.take_while(|at| *at <= start + day).count() <= 2_900);
    }

    #[test]
    fn a_name_that_nobody_has_waits_as_long_as_any_other() {
        let start = Instant::now();
        let waits = ["an", "nobody"].map(|name| {
            let mut throttle = Throttle::default();
            let now = fail(&mut throttle, name, |time| address(time as u8), 9, start);
            throttle.wait(name, address(200), now)
        });
        assert_eq!(waits[0], waits[1]);
        assert!(waits[0].is_some());
    }

    #[test]
    fn success_forgives_and_time_forgets() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let now = fail(&mut throttle, "an", |_| address(1), 6, start);
        let now = now + throttle.wait("an", address(1), now).expect("a pause");
        throttle.succeeded("an", address(1), now);
        throttle.failed("an", address(1), now);
        assert_eq!(throttle.wait("an", address(1), now), None, "one failure after a success costs nothing");
        let later = fail(&mut throttle, "an", |_| address(1), 6, now) + FORGOTTEN_AFTER;
        throttle.failed("an", address(1), later);
        assert_eq!(throttle.wait("an", address(1), later), None);
    }

    #[test]
    fn many_names_and_addresses_neither_fill_memory_nor_wash_a_siege_away() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let now = fail(&mut throttle, "an", |_| address(1), 8, start);
        for other in 0..5000_u32 {
            throttle.failed(&format!("x{other}"), IpAddr::from((0x0a00_0000 + other).to_be_bytes()), now);
        }
        assert!(throttle.accounts.len() <= KNOWN && throttle.addresses.len() <= KNOWN);
        assert!(throttle.wait("an", address(1), now).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_neighbour_and_a_mapped_address_is_itself() {
        let of = |text: &str| Neighbourhood::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}

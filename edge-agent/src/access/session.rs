//! Sessions: who has logged in, until when. Time is an argument.
//!
//! # Invariants
//! - A session's id is 256 random bits, known to its browser alone: here its SHA-256 is kept, so that what is read out of this
//!   program's memory opens nothing.
//! - A session ends when nothing was asked for [`IDLE`], at [`LIFE`] whatever was asked, at log-out, and as soon as its
//!   account is another or gone.
//! - At most [`MOST`] live at once, [`MOST_OF_ONE`] of one account: the one that was silent for longest goes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustls::crypto::{GetRandomFailed, ring};
use sha2::{Digest, Sha256};

use super::accounts::{Account, AccountName, Accounts};
use super::role::Role;
use crate::secret::Secret;

/// Without a question. An open page asks every few seconds; one in the background, or a sleeping computer, asks nothing.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// However busy: a shift.
pub const LIFE: Duration = Duration::from_secs(10 * 3600);
/// At once.
pub(super) const MOST: usize = 64;
/// Of one account.
pub(super) const MOST_OF_ONE: usize = 8;

const ID_BYTES: usize = 32;

/// One log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub name: AccountName,
    /// What it was for at the log-in; another role is another account.
    pub role: Role,
    /// Where from.
    pub address: IpAddr,
    /// The log-in.
    pub opened: Instant,
    /// The last question.
    pub seen: Instant,
    fingerprint: [u8; 32],
}

impl Session {
    /// When it ends if nothing more is asked.
    #[must_use]
    pub fn ends(&self) -> Instant {
        (self.seen + IDLE).min(self.opened + LIFE)
    }
}

/// Those that live.
#[derive(Debug, Default)]
pub struct Sessions(HashMap<[u8; 32], Session>);

impl Sessions {
    /// A new one; its id goes to the browser and is not kept.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn open(&mut self, account: &Account, address: IpAddr, now: Instant) -> Result<Secret, GetRandomFailed> {
        self.expire(now);
        let mut id = [0; ID_BYTES];
        ring::default_provider().secure_random.fill(&mut id)?;
        let id = id.iter().fold(String::with_capacity(2 * ID_BYTES), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        if self.0.values().filter(|session| session.name == account.name).count() >= MOST_OF_ONE {
            self.forget_oldest(|session| session.name == account.name);
        }
        if self.0.len() >= MOST {
            self.forget_oldest(|_| true);
        }
        let (name, fingerprint) = (account.name.clone(), account.fingerprint());
        let session = Session { name, role: account.role, address, opened: now, seen: now, fingerprint };
        self.0.insert(kept(&id), session);
        Ok(Secret::new(id))
    }

    /// The session of this id, which is thereby seen.
    pub fn find(&mut self, id: &str, now: Instant) -> Option<&Session> {
        let key = kept(id);
        if self.0.get(&key)?.ends() <= now {
            self.0.remove(&key);
            return None;
        }
        let session = self.0.get_mut(&key)?;
        session.seen = now;
        Some(session)
    }

    /// Ends it.
    pub fn close(&mut self, id: &str) -> Option<Session> {
        self.0.remove(&kept(id))
    }

    /// Ends those whose account is another or gone; these are they.
    pub fn keep_those_of(&mut self, accounts: &Accounts) -> Vec<Session> {
        let is_same = |session: &Session| {
            accounts.find(session.name.as_str()).is_some_and(|account| account.fingerprint() == session.fingerprint)
        };
        self.0.extract_if(|_, session| !is_same(session)).map(|(_, session)| session).collect()
    }

    /// Those that live, the newest first.
    pub fn all(&mut self, now: Instant) -> Vec<Session> {
        self.expire(now);
        let mut all: Vec<Session> = self.0.values().cloned().collect();
        all.sort_by_key(|session| std::cmp::Reverse(session.opened));
        all
    }

    fn expire(&mut self, now: Instant) {
        self.0.retain(|_, session| now < session.ends());
    }

    fn forget_oldest(&mut self, among: impl Fn(&Session) -> bool) {
        let oldest = self.0.iter().filter(|(_, session)| among(session)).min_by_key(|(_, session)| session.seen);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.0.remove(&key);
        }
    }
}

fn kept(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[cfg(test)]
mod tests {
    use super::super::password::PasswordHash;
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn account(name: &str, role: Role) -> Account {
        Account { name: AccountName::new(name).expect("a name"), role, hash: PasswordHash::decoy() }
    }

    fn open(sessions: &mut Sessions, name: &str, now: Instant) -> Secret {
        sessions.open(&account(name, Role::Viewer), HERE, now).expect("randomness")
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_at_last_whatever_is_asked() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let idle = open(&mut sessions, "an", start);
        assert!(sessions.find(idle.expose(), start + IDLE - Duration::from_secs(1)).is_some());
        assert!(sessions.find(idle.expose(), start + 2 * IDLE - Duration::from_secs(2)).is_some(), "it was seen");
        assert!(sessions.find(idle.expose(), start + 3 * IDLE).is_none());
        assert!(sessions.find(idle.expose(), start).is_none(), "it does not come back");

        let busy = open(&mut sessions, "an", start);
        let mut now = start;
        while now + IDLE / 2 < start + LIFE {
            now += IDLE / 2;
            assert!(sessions.find(busy.expose(), now).is_some());
        }
        assert!(sessions.find(busy.expose(), start + LIFE).is_none());
    }

    #[test]
    fn ids_are_long_never_alike_and_not_kept() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let ids = [open(&mut sessions, "an", now), open(&mut sessions, "an", now)];
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.expose().len() == 64));
        assert!(!format!("{sessions:?}").contains(ids[0].expose()));
        assert!(sessions.find(&"0".repeat(64), now).is_none() && sessions.find("", now).is_none());
        assert!(sessions.close(ids[0].expose()).is_some());
        assert!(sessions.find(ids[0].expose(), now).is_none() && sessions.find(ids[1].expose(), now).is_some());
    }

    #[test]
    fn a_changed_or_removed_account_ends_its_sessions() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let ids = ["an", "binh", "chi"].map(|name| open(&mut sessions, name, now));
        let mut accounts = Accounts::default();
        accounts.put(account("an", Role::Viewer));
        accounts.put(account("binh", Role::Admin));
        let mut ended: Vec<_> = sessions.keep_those_of(&accounts).into_iter().map(|session| session.name).collect();
        ended.sort();
        assert_eq!(ended, ["binh", "chi"].map(|name| AccountName::new(name).expect("a name")));
        assert_eq!(ids.map(|id| sessions.find(id.expose(), now).is_some()), [true, false, false]);
    }

    #[test]
    fn memory_is_bounded_and_one_account_cannot_push_the_others_out() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let other = open(&mut sessions, "binh", start);
        let first = open(&mut sessions, "an", start);
        for second in 1..100 {
            open(&mut sessions, "an", start + Duration::from_secs(second));
        }
        let now = start + Duration::from_secs(100);
        assert!(sessions.find(other.expose(), now).is_some() && sessions.find(first.expose(), now).is_none());
        assert_eq!(sessions.all(now).len(), MOST_OF_ONE + 1);
        for account in 0..100 {
            open(&mut sessions, &format!("a{account}"), now);
        }
        assert_eq!(sessions.all(now).len(), MOST);
        assert_eq!(sessions.all(now + IDLE).len(), 0);
    }
}

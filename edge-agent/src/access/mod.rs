//! Who may look at the box from another machine, and at what: accounts, log-ins, sessions, roles.
//!
//! Two ways lead in: a name and a password of the accounts file ([`Access::log_in`], then a session), or a client's certificate
//! whose name the site file gives a role. The status page asks [`Access::identify`] at every request.
//!
//! # Invariants
//! - Nobody is let in by default: no account, no role, no password comes with the program.
//! - A name that is not there costs as much work and waits as long as one that is; both are refused in the same words.
//! - One password is tried at a time, then there is a rest of [`REST`] times as long: however many try, hashing takes a sixth
//!   of a core from those who analyse, and the memory of one hash, the same one for all.
//! - A try counts as failed before it is made, so that breaking the connection off gains nothing.
//!
//! # Failure
//! An accounts file that cannot be read, or that others may read, lets nobody in and ends every session: it is logged, with
//! its cure, and read again as soon as it changes.
//!
//! # Ownership
//! Shared by the page's requests; the page's task calls [`Access::refresh`]. Nothing is kept over a restart but the file.

mod accounts;
mod journal;
mod password;
mod role;
mod session;
mod stamp;
mod throttle;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use accounts::{Account, AccountName, Accounts, AccountsError, MOST as MOST_ACCOUNTS};
pub use journal::{Journal, Note, Reading};
pub use password::{LEAST_CHARS, PasswordError, PasswordHash, Scratch};
pub use role::{Right, Role};
pub use session::{IDLE, LIFE, Session, Sessions};
pub use stamp::FileStamp;
pub use throttle::{ACCOUNT_AT_MOST, ADDRESS_AT_MOST, Neighbourhood, Throttle};

use crate::secret::Secret;

/// After a password was tried, none is for so many times the time it took.
const REST: u32 = 5;
/// Log-ins that may wait for their turn, and of one neighbourhood.
const QUEUE: usize = 8;
const QUEUE_OF_ONE: usize = 2;

/// Someone who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Account, or the name in a certificate: other people's text.
    pub name: String,
    /// What it may see.
    pub role: Role,
    /// How it was proved.
    pub via: Via,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A session.
    Session,
    /// A client's certificate.
    Certificate,
}

/// Who asks, before it is known who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where from.
    pub address: IpAddr,
    /// The name in its certificate, which an authority of `client_ca` signed.
    pub certificate: Option<String>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Name or password; it is not told which.
    Wrong,
    /// Too many failed; nothing was tried.
    Wait(Duration),
    /// Too many try at once, or the system gives no randomness.
    Busy,
}

/// A log-in as somebody asks for it.
#[derive(Debug)]
pub struct Attempt {
    /// The account.
    pub name: String,
    /// Its password.
    pub password: Secret,
    /// Where from.
    pub address: IpAddr,
}

struct State {
    accounts: Accounts,
    stamp: Option<FileStamp>,
    sessions: Sessions,
    throttle: Throttle,
}

/// The door.
pub struct Access {
    file: Option<PathBuf>,
    certificates: BTreeMap<String, Role>,
    decoy: PasswordHash,
    state: Mutex<State>,
    turn: Arc<Semaphore>,
    /// Held by whoever has the turn: no password is tried before.
    rested: Arc<Mutex<Option<tokio::time::Instant>>>,
    /// Likewise.
    scratch: Arc<Mutex<Scratch>>,
    queue: Mutex<HashMap<Neighbourhood, usize>>,
    journal: Journal,
}

impl Access {
    /// With the accounts of `file`, which [`Access::refresh`] reads, and the roles of certificates by their name.
    #[must_use]
    pub fn new(file: Option<PathBuf>, certificates: BTreeMap<String, Role>, journal: Journal) -> Self {
        let state = State {
            accounts: Accounts::default(),
            stamp: None,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
        };
        Self {
            file,
            certificates,
            decoy: PasswordHash::decoy(),
            state: Mutex::new(state),
            turn: Arc::new(Semaphore::new(1)),
            rested: Arc::default(),
            scratch: Arc::default(),
            queue: Mutex::default(),
            journal,
        }
    }

    /// Reads the accounts file if it is another, and ends the sessions of accounts that are others.
    pub async fn refresh(&self) {
        let Some(file) = self.file.clone() else { return };
        let known = self.state().stamp.clone();
        let read = spawn_blocking(move || {
            let stamp = FileStamp::of(&file);
            (known.as_ref() != Some(&stamp)).then(|| (stamp, Accounts::read(&file)))
        });
        let Ok(Some((stamp, read))) = read.await else { return };
        if let Err(error) = &read {
            tracing::error!("nobody can log in to the status page: {error}");
        }
        for note in self.replace(stamp, read.unwrap_or_default()) {
            self.journal.note(note).await;
        }
    }

    /// Puts these accounts in the place of those before; what is to be told of it.
    fn replace(&self, stamp: FileStamp, accounts: Accounts) -> Vec<Note> {
        let mut state = self.state();
        let ended = state.sessions.keep_those_of(&accounts);
        let before = std::mem::replace(&mut state.accounts, accounts);
        // The first look is no change.
        let is_first = state.stamp.replace(stamp).is_none();
        let mut notes = if is_first { Vec::new() } else { changes(&before, &state.accounts) };
        notes.extend(ended.into_iter().map(|session| Note::LoggedOut {
            account: session.name.to_string(),
            address: session.address,
            why: "the account was changed",
        }));
        notes
    }

    /// Who asks, by certificate or session; `None`: nobody who is known.
    pub async fn identify(&self, peer: &Peer, session: Option<&str>, now: Instant) -> Option<Identity> {
        if let Some((name, role)) = peer.certificate.as_ref().and_then(|name| self.certificates.get_key_value(name)) {
            self.journal.certificate(name, peer.address, *role, now).await;
            return Some(Identity { name: name.clone(), role: *role, via: Via::Certificate });
        }
        let mut state = self.state();
        let session = state.sessions.find(session?, now)?;
        Some(Identity { name: session.name.to_string(), role: session.role, via: Via::Session })
    }

    /// Tells that somebody read what is told.
    pub async fn told_of_reading(&self, identity: &Identity, address: IpAddr, what: Reading) {
        self.journal.note(Note::Read { account: identity.name.clone(), address, what }).await;
    }

    /// Tries a name and a password; the id of the new session, for the browser alone.
    ///
    /// # Errors
    /// [`Refusal`]; nothing of it tells whether the account is there.
    pub async fn log_in(&self, attempt: Attempt, now: Instant) -> Result<Secret, Refusal> {
        let asked = tokio::time::Instant::now();
        let Attempt { name, password, address } = attempt;
        self.check_pause(&name, address, now)?;
        let _place = self.queue(address.into()).ok_or(Refusal::Busy)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Refusal::Busy)?;
        let rested = *self.rested.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rested) = rested {
            tokio::time::sleep_until(rested).await;
        }
        let now = now + asked.elapsed();
        // Those before may have failed.
        self.check_pause(&name, address, now)?;
        let account = {
            let mut state = self.state();
            state.throttle.failed(&name, address, now);
            state.accounts.find(&name).cloned()
        };
        let hash = account.as_ref().map_or(&self.decoy, |account| &account.hash).clone();
        let (rested, scratch) = (Arc::clone(&self.rested), Arc::clone(&self.scratch));
        let tried = spawn_blocking(move || {
            let started = Instant::now();
            let is_right = hash.is_of(&password, &mut scratch.lock().unwrap_or_else(PoisonError::into_inner));
            let rest = started.elapsed() * REST;
            *rested.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokio::time::Instant::now() + rest);
            // Held until it is done, even if nobody waits for it any more.
            drop(turn);
            is_right
        });
        let is_right = tried.await.unwrap_or(false);
        let Some(account) = account.filter(|_| is_right) else {
            let account = self.state().accounts.find(&name).map(|account| account.name.to_string());
            self.journal.refused(account, address, now).await;
            return Err(Refusal::Wrong);
        };
        let id = self.open(&account, address, now)?;
        let (name, role) = (account.name.to_string(), account.role);
        self.journal.note(Note::LoggedIn { account: name, role, address }).await;
        Ok(id)
    }

    /// Opens a session, unless the account has changed while its password was tried.
    fn open(&self, account: &Account, address: IpAddr, now: Instant) -> Result<Secret, Refusal> {
        let mut state = self.state();
        let name = account.name.as_str();
        if state.accounts.find(name) != Some(account) {
            return Err(Refusal::Wrong);
        }
        let id = state.sessions.open(account, address, now).map_err(|_| Refusal::Busy)?;
        state.throttle.succeeded(name, address, now);
        Ok(id)
    }

    /// Ends a session.
    pub async fn log_out(&self, session: &str) {
        let ended = self.state().sessions.close(session);
        if let Some(session) = ended {
            let (account, address) = (session.name.to_string(), session.address);
            self.journal.note(Note::LoggedOut { account, address, why: "asked" }).await;
        }
    }

    /// Whether there are passwords at all: without an accounts file only certificates lead in.
    #[must_use]
    pub fn has_passwords(&self) -> bool {
        self.file.is_some()
    }

    /// Names and roles of the accounts.
    #[must_use]
    pub fn accounts(&self) -> Vec<(String, Role)> {
        self.state().accounts.iter().map(|account| (account.name.to_string(), account.role)).collect()
    }

    /// Names and roles of clients' certificates.
    #[must_use]
    pub fn certificates(&self) -> &BTreeMap<String, Role> {
        &self.certificates
    }

    /// The sessions that live.
    #[must_use]
    pub fn sessions(&self, now: Instant) -> Vec<Session> {
        self.state().sessions.all(now)
    }

    fn check_pause(&self, name: &str, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        let wait = self.state().throttle.wait(name, address, now);
        wait.map_or(Ok(()), |wait| Err(Refusal::Wait(wait)))
    }

    fn queue(&self, from: Neighbourhood) -> Option<Place<'_>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = queue.values().sum();
        let of_one = queue.get(&from).copied().unwrap_or_default();
        if all >= QUEUE || of_one >= QUEUE_OF_ONE {
            return None;
        }
        queue.insert(from, of_one + 1);
        Some(Place { access: self, from })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that wait; free when dropped.
struct Place<'a> {
    access: &'a Access,
    from: Neighbourhood,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.access.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = queue.get_mut(&self.from) {
            *waiting -= 1;
            if *waiting == 0 {
                queue.remove(&self.from);
            }
        }
    }
}

/// What is different about the accounts.
fn changes(before: &Accounts, after: &Accounts) -> Vec<Note> {
    let told = |account: &Account, what| Note::AccountChanged { account: account.name.to_string(), what };
    let of_before = |account: &Account| before.find(account.name.as_str()).cloned();
    let put = after.iter().filter_map(|account| match of_before(account) {
        None => Some(told(account, "added")),
        Some(known) if known.role != account.role => Some(told(account, "has another role")),
        Some(known) if known.hash != account.hash => Some(told(account, "has another password")),
        Some(_) => None,
    });
    let removed = before.iter().filter(|account| after.find(account.name.as_str()).is_none());
    put.chain(removed.map(|account| told(account, "removed"))).collect()
}

#[cfg(test)]
mod tests;

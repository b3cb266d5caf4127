//! What is told of log-ins: one place, for the log and the audit log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::role::Role;
use crate::audit::{Action, Actor, AuditEntry, AuditLog, Object, Outcome, Source};

/// Refusals that are told one by one, and how soon another one may be: a siege must not fill the log.
const REFUSALS: u32 = 20;
const REFUSAL_EVERY: Duration = Duration::from_secs(60);
/// A certificate that keeps coming is told again after this time.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Certificates kept in mind.
const CERTIFICATES: usize = 256;

/// Something that happened at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Somebody came in.
    LoggedIn {
        /// Account, or the name in a certificate.
        account: String,
        /// What it may see.
        role: Role,
        /// Where from.
        address: IpAddr,
    },
    /// Somebody did not.
    Refused {
        /// The account, where there is one of the name; what else was typed may be a password.
        account: Option<String>,
        /// Where from.
        address: IpAddr,
        /// How many more were, and not told, since the last one that was.
        untold: u32,
    },
    /// A session was ended.
    LoggedOut {
        /// Account.
        account: String,
        /// Where it was opened from.
        address: IpAddr,
        /// Why.
        why: &'static str,
    },
    /// An account is another.
    AccountChanged {
        /// Account.
        account: String,
        /// What changed.
        what: &'static str,
    },
    /// Something was read that is told: the configuration, the accounts.
    Read {
        /// Who.
        account: String,
        /// Where from.
        address: IpAddr,
        /// What.
        what: Reading,
    },
}

impl Note {
    fn log(&self) {
        match self {
            Self::LoggedIn { account, role, address } => {
                tracing::info!(account, role = role.label(), %address, "status page: logged in");
            }
            Self::Refused { account, address, untold } => {
                let account = account.as_deref().unwrap_or("(unknown)");
                tracing::warn!(account, %address, untold, "status page: log-in refused");
            }
            Self::LoggedOut { account, address, why } => {
                tracing::info!(account, %address, why, "status page: logged out");
            }
            Self::AccountChanged { account, what } => tracing::info!(account, what, "status page: account"),
            Self::Read { account, address, what } => {
                tracing::info!(account, %address, what = what.label(), "status page: read");
            }
        }
    }

    fn entry(&self) -> AuditEntry {
        let page = |address: &IpAddr| Source::Page { address: address.to_string() };
        match self {
            Self::LoggedIn { account, role, address } => {
                AuditEntry::new(Actor::account(account), page(address), Action::LogIn).with("role", role.label())
            }
            Self::Refused { account, address, untold } => {
                let entry = AuditEntry::new(Actor::System, page(address), Action::LogInRefused);
                let entry = entry.outcome(Outcome::Refused { reason: "wrong name or password".to_owned() });
                let entry = entry.with("refused_since", json!(untold));
                account.iter().fold(entry, |entry, account| entry.on(Object::account(account)))
            }
            Self::LoggedOut { account, address, why } => {
                AuditEntry::new(Actor::account(account), page(address), Action::LogOut).with("why", *why)
            }
            Self::AccountChanged { account, what } => {
                AuditEntry::by_system(Action::AccountChanged).on(Object::account(account)).with("change", *what)
            }
            Self::Read { account, address, what } => {
                let (action, object) = match what {
                    Reading::Configuration => (Action::ConfigurationRead, Object::configuration()),
                    Reading::Accounts => (Action::Export, Object::data("accounts")),
                };
                AuditEntry::new(Actor::account(account), page(address), action).on(object)
            }
        }
    }
}

/// What is told when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The configuration as it was loaded.
    Configuration,
    /// Accounts and sessions.
    Accounts,
}

impl Reading {
    const fn label(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Accounts => "accounts",
        }
    }
}

#[derive(Debug, Default)]
struct Refusals {
    told: u32,
    since: Option<Instant>,
    untold: u32,
}

/// Tells what happens at the door, to the log and the audit log.
#[derive(Default)]
pub struct Journal {
    audit: Option<AuditLog>,
    refusals: Mutex<Refusals>,
    certificates: Mutex<HashMap<(String, IpAddr), Instant>>,
}

impl Journal {
    /// Tells the audit log too.
    #[must_use]
    pub fn to(audit: AuditLog) -> Self {
        Self { audit: Some(audit), ..Self::default() }
    }

    /// Tells it; when this is done it is on the disk. A line that cannot be written is the audit log's to tell: people must
    /// come in to a box whose disk is full.
    pub async fn note(&self, note: Note) {
        note.log();
        if let Some(audit) = &self.audit {
            let _ = audit.record(note.entry()).await;
        }
    }

    /// Tells a refusal, unless so many were of late that it is only counted.
    pub async fn refused(&self, account: Option<String>, address: IpAddr, now: Instant) {
        let untold = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let quiet = refusals.since.map_or(Duration::MAX, |since| now.saturating_duration_since(since));
            let forgiven = u32::try_from(quiet.as_secs() / REFUSAL_EVERY.as_secs()).unwrap_or(u32::MAX);
            if forgiven > 0 {
                refusals.told = refusals.told.saturating_sub(forgiven);
                refusals.since = Some(now);
            }
            if refusals.told >= REFUSALS {
                refusals.untold += 1;
                return;
            }
            refusals.told += 1;
            std::mem::take(&mut refusals.untold)
        };
        self.note(Note::Refused { account, address, untold }).await;
    }

    /// Tells that a certificate leads in, once a day for each address.
    pub async fn certificate(&self, name: &str, address: IpAddr, role: Role, now: Instant) {
        {
            let mut known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = |at: &Instant| now.saturating_duration_since(*at) >= CERTIFICATE_EVERY;
            if known.get(&(name.to_owned(), address)).is_some_and(|at| !is_new(at)) {
                return;
            }
            if known.len() >= CERTIFICATES {
                known.retain(|_, at| !is_new(at));
                if known.len() >= CERTIFICATES {
                    known.clear();
                }
            }
            known.insert((name.to_owned(), address), now);
        }
        self.note(Note::LoggedIn { account: name.to_owned(), role, address }).await;
    }
}

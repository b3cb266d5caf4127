//! Who may log in and who has: for those who keep the accounts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;

use crate::access::{Access, Identity, Peer, Reading, Role};
use crate::publish::wire::{self, LocalText};
use crate::text::page::role;

/// What `GET /api/v1/accounts` answers.
#[derive(Debug, Serialize)]
struct AccountsView {
    /// Of the accounts file.
    accounts: Vec<Named>,
    /// Of the site file.
    certificates: Vec<Named>,
    /// The newest first.
    sessions: Vec<SessionView>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    role: Role,
    role_text: LocalText,
}

#[derive(Debug, Serialize)]
struct SessionView {
    name: String,
    role: Role,
    role_text: LocalText,
    address: IpAddr,
    /// Since the log-in.
    age_s: u64,
    /// Since the last question.
    idle_s: u64,
    /// Until it ends, if nothing more is asked.
    ends_in_s: u64,
}

fn named((name, of): (String, Role)) -> Named {
    Named { name, role: of, role_text: role(of).into() }
}

pub(super) async fn accounts(
    Extension(access): Extension<Arc<Access>>,
    Extension(identity): Extension<Option<Identity>>,
    Extension(peer): Extension<Peer>,
) -> impl IntoResponse {
    if let Some(identity) = identity {
        access.told_of_reading(&identity, peer.address, Reading::Accounts).await;
    }
    let now = Instant::now();
    let sessions = access.sessions(now).into_iter().map(|session| SessionView {
        name: session.name.to_string(),
        role: session.role,
        role_text: role(session.role).into(),
        address: session.address,
        age_s: now.saturating_duration_since(session.opened).as_secs(),
        idle_s: now.saturating_duration_since(session.seen).as_secs(),
        ends_in_s: session.ends().saturating_duration_since(now).as_secs(),
    });
    let view = AccountsView {
        accounts: access.accounts().into_iter().map(named).collect(),
        certificates: access.certificates().clone().into_iter().map(named).collect(),
        sessions: sessions.collect(),
    };
    ([(header::CONTENT_TYPE, wire::STATE_CONTENT_TYPE)], wire::to_bytes(&view))
}

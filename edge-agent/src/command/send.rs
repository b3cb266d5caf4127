//! The other end: sends one command and waits for its answers.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::publish::mqtt::{self, Client, Events, Heard, Stage, Wanted};
use crate::publish::wire::{
    self, Ack, AckState, Birth, ChunkHeader, Command, CommandName, Presence, STATE_CONTENT_TYPE, Status, UtcMillis,
};
use crate::publish::{BrokerParams, Identity, LinkError, Message, Topics};
use crate::text::{self, Lang};

/// The box's retained birth comes with the subscription, if it has one.
const BIRTH_WITHIN: Duration = Duration::from_secs(2);

/// To whom, and as whom.
#[derive(Debug, Clone)]
pub struct SendParams {
    /// The broker.
    pub broker: BrokerParams,
    /// The box.
    pub topics: Topics,
    /// Who asks, for the record.
    pub actor: String,
    /// How long the command is of use.
    pub valid_for: Duration,
    /// How long the final answer may take.
    pub wait: Duration,
}

/// What comes of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// An answer.
    Ack(Box<Ack>),
    /// A part of a file.
    Chunk(Box<ChunkHeader>, Vec<u8>),
}

/// Why there is no final answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The broker.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The broker does not let this sender ask, or hear the answer.
    #[error("the broker refuses the command: {0}; check the access rules for cmd/ and ack/")]
    Refused(String),
    /// Nobody answered.
    #[error("no answer within {0:?}: the box is away, or busy; the same id may be sent again")]
    NoAnswer(Duration),
}

/// A command that is ready to go.
#[must_use]
pub fn command<A>(
    name: CommandName,
    actor: &str,
    valid_for: Duration,
    session: Option<u64>,
    arguments: A,
) -> Command<A> {
    let issued_at = UtcMillis::now();
    let life = i64::try_from(valid_for.as_millis()).unwrap_or(i64::MAX);
    let expires_at = UtcMillis::from_unix_millis(issued_at.as_unix_millis().saturating_add(life));
    let (id, actor) = (wire::new_id(), actor.to_owned());
    Command { id, actor, issued_at, expires_at, name: name.into(), session, arguments }
}

/// Sends it, gives every answer to `sink` and returns the final one.
///
/// # Errors
/// [`SendError`].
pub async fn send<A: Serialize>(
    params: &SendParams,
    name: CommandName,
    arguments: A,
    mut sink: impl FnMut(&Reply),
) -> Result<Ack, SendError> {
    let identity = Identity {
        client_id: format!("ngatu-command-{}", wire::new_id().simple()),
        keep_session: false,
        manual_acks: false,
        will: None,
    };
    let (client, mut events) = mqtt::open(&params.broker, identity).await?;
    let deadline = Instant::now() + params.wait;
    let late = || SendError::NoAnswer(params.wait);
    let session =
        timeout_at(deadline, greet(&client, &mut events, &params.topics, name)).await.map_err(|_| late())??;
    let command = command(name, &params.actor, params.valid_for, session.filter(|_| must_be_fresh(name)), arguments);
    let id = command.id;
    if name == CommandName::EvidenceFetch {
        drop(client.subscribe(vec![params.topics.chunk(id)], Wanted::NewOnly));
    }
    let message = Message {
        topic: params.topics.command(name.label()),
        payload: wire::to_bytes(&command),
        content_type: STATE_CONTENT_TYPE,
        retained: false,
    };
    let expiry = u32::try_from(params.valid_for.as_secs()).ok();
    let mut sent = Some(client.publish_for(message, expiry));
    let answered = async {
        loop {
            let heard = tokio::select! {
                heard = events.next(Stage::Connected) => heard?,
                result = taken(&mut sent) => {
                    result.map_err(|error| SendError::Refused(error.to_string()))?;
                    continue;
                }
            };
            let Heard::Message(message, _) = heard else { continue };
            let Some(reply) = reply(&params.topics, id, name, &message) else { continue };
            sink(&reply);
            if let Reply::Ack(ack) = reply
                && ack.state.is_final()
            {
                return Ok(*ack);
            }
        }
    };
    let answer = timeout_at(deadline, answered).await.map_err(|_| late())?;
    client.disconnect();
    let goodbye = async { while events.next(Stage::Connected).await.is_ok() {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    answer
}

/// Of these a box without a clock wants to know that they are fresh.
fn must_be_fresh(name: CommandName) -> bool {
    matches!(name, CommandName::Camera | CommandName::Rule | CommandName::LogLevel | CommandName::ConfigApply)
}

async fn taken(
    sent: &mut Option<crate::publish::BoxFuture<Result<(), crate::publish::PublishError>>>,
) -> Result<(), crate::publish::PublishError> {
    match sent {
        Some(waiting) => {
            let result = waiting.await;
            *sent = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// Connects and subscribes; the number of the box's session, if it is there.
async fn greet(
    client: &Client,
    events: &mut Events,
    topics: &Topics,
    name: CommandName,
) -> Result<Option<u64>, SendError> {
    while !matches!(events.next(Stage::Connecting).await?, Heard::Accepted { .. }) {}
    let filters = vec![topics.ack(name.label()), topics.birth(), topics.status()];
    drop(client.subscribe(filters, Wanted::WithRetained));
    while !matches!(events.next(Stage::Connected).await?, Heard::Subscribed) {}
    let (mut session, mut presence) = (None, None);
    let told = async {
        while session.is_none() || presence.is_none() {
            let Heard::Message(message, _) = events.next(Stage::Connected).await? else { continue };
            if message.topic == topics.birth() {
                session = serde_json::from_slice::<Birth>(&message.payload).ok().map(|birth| birth.session);
            } else if message.topic == topics.status() {
                presence = serde_json::from_slice::<Status>(&message.payload).ok().map(|status| status.state);
            }
        }
        Ok::<(), LinkError>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(BIRTH_WITHIN, told).await {
        return Err(error.into());
    }
    Ok(session.filter(|_| presence == Some(Presence::Online)))
}

fn reply(topics: &Topics, id: Uuid, name: CommandName, message: &Message) -> Option<Reply> {
    if message.topic == topics.chunk(id) {
        let (header, part) = ChunkHeader::split(&message.payload)?;
        return Some(Reply::Chunk(Box::new(header), part.to_vec()));
    }
    if message.topic != topics.ack(name.label()) {
        return None;
    }
    let ack: Ack = serde_json::from_slice(&message.payload).ok()?;
    (ack.id == Some(id)).then(|| Reply::Ack(Box::new(ack)))
}

/// An answer as a person reads it.
#[must_use]
pub fn line(ack: &Ack, lang: Lang) -> String {
    let what = CommandName::from_label(&ack.name).map_or(ack.name.as_str(), |name| lang.of(text::command::name(name)));
    let mut line = format!("{what}: {}", lang.of(text::command::state(ack.state)));
    if let Some(message) = &ack.message {
        line.push_str(&format!(" ({}): {}", ack.reason.as_deref().unwrap_or_default(), lang.of_local(message)));
    }
    if let Some(detail) = &ack.detail {
        line.push_str(&format!(" [{detail}]"));
    }
    if let Some(file) = &ack.file
        && ack.state != AckState::Refused
    {
        line.push_str(&format!(" — {}, {} B, sha256 {}", file.name, file.bytes, file.sha256));
    }
    // What a box says may hold anything: it goes to a terminal.
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

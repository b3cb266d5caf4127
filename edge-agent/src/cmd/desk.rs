//! The operator's desk beside `watch`: incidents get numbers, and lines from stdin say what they were.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_agent::command::send;
use edge_agent::publish::wire::{
    Ack, AcknowledgeArguments, CommandName, Finding, Incident, VerdictArguments, to_bytes,
};
use edge_agent::publish::{Message, Topics};
use edge_agent::watch::{Console, Lang, Seen};
use uuid::Uuid;

/// Incidents that can still be named.
const KNOWN: usize = 1000;
/// Commands that wait for the connection; with more, who types waits.
const WAITING: usize = 16;
/// A verdict is of use for so long: an operator who hears nothing says it again.
const VALID_FOR: Duration = Duration::from_secs(60);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk(Arc<Shared>);

struct Shared {
    operator: String,
    lang: Lang,
    book: Mutex<Book>,
    answers: tokio::sync::Mutex<tokio::sync::mpsc::Receiver<Ack>>,
}

#[derive(Default)]
struct Book {
    last: u64,
    /// The newest last.
    incidents: VecDeque<(u64, Uuid, Topics)>,
    /// Commands that were sent from here.
    sent: BTreeSet<Uuid>,
}

impl Desk {
    /// Listens to stdin from now on.
    pub(super) fn open(operator: String, lang: Lang) -> (Self, Console) {
        let (order, orders) = tokio::sync::mpsc::channel(WAITING);
        let (answers, answered) = tokio::sync::mpsc::channel(WAITING);
        let (book, answers_in) = (Mutex::default(), tokio::sync::Mutex::new(answered));
        let desk = Self(Arc::new(Shared { operator, lang, book, answers: answers_in }));
        let listening = desk.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                match listening.order(line.trim()) {
                    Some(message) => {
                        if order.blocking_send(message).is_err() {
                            return;
                        }
                    }
                    None if line.trim().is_empty() => {}
                    None => eprintln!("? N ack | N yes [why] | N no [why] | N dup [why]"),
                }
            }
            // The end of stdin ends the commands, not the watching.
        });
        (desk, Console { orders, answers })
    }

    /// The number of an incident; nothing for what is none.
    pub(super) fn number(&self, seen: &Seen) -> Option<u64> {
        let Seen::Incident(arrival) = seen else { return None };
        let Incident { source, data, .. } = &arrival.event;
        let topics = Topics::of_source(source)?;
        let mut book = self.book();
        let known = book.incidents.iter().rev().find(|(_, incident, _)| *incident == data.incident_id);
        if let Some((number, ..)) = known {
            return Some(*number);
        }
        book.last += 1;
        let number = book.last;
        book.incidents.push_back((number, data.incident_id, topics));
        if book.incidents.len() > KNOWN {
            book.incidents.pop_front();
        }
        Some(number)
    }

    /// The command that a line asks for.
    fn order(&self, line: &str) -> Option<Message> {
        let mut words = line.splitn(3, char::is_whitespace);
        let number: u64 = words.next()?.trim_start_matches('#').parse().ok()?;
        let (what, reason) = (words.next()?, words.next().map(str::trim).filter(|reason| !reason.is_empty()));
        let mut book = self.book();
        let (_, incident_id, topics) = book.incidents.iter().find(|(known, ..)| *known == number)?.clone();
        let verdict = match what {
            "ack" => None,
            "yes" => Some(Finding::Confirmed),
            "no" => Some(Finding::FalseAlarm),
            "dup" => Some(Finding::Duplicate),
            _ => return None,
        };
        let operator = &self.0.operator;
        let (name, id, payload) = match verdict {
            None => {
                let name = CommandName::Acknowledge;
                let command = send::command(name, operator, VALID_FOR, None, AcknowledgeArguments { incident_id });
                (name, command.id, to_bytes(&command))
            }
            Some(verdict) => {
                let arguments = VerdictArguments { incident_id, verdict, reason: reason.map(str::to_owned) };
                let command = send::command(CommandName::Verdict, operator, VALID_FOR, None, arguments);
                (CommandName::Verdict, command.id, to_bytes(&command))
            }
        };
        book.sent.insert(id);
        let topic = topics.command(name.label());
        Some(Message { topic, payload, content_type: "application/json", retained: false })
    }

    /// Prints the answers to what was sent from here; never ends.
    pub(super) async fn print(desk: Option<Self>) {
        let Some(desk) = desk else { return std::future::pending().await };
        let mut answers = desk.0.answers.lock().await;
        while let Some(ack) = answers.recv().await {
            let is_own = ack.id.is_some_and(|id| {
                let mut book = desk.book();
                if ack.state.is_final() { book.sent.remove(&id) } else { book.sent.contains(&id) }
            });
            if is_own {
                let _ = writeln!(std::io::stdout(), "{}", send::line(&ack, desk.0.lang));
            }
        }
        std::future::pending().await
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

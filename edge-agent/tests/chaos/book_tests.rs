//! The ledger notices what must not be.

use edge_agent::publish::wire::{Incident, Phase, Sequence};
use uuid::Uuid;

use crate::book::{Book, Figures};

const EXAMPLE: &str = include_str!("../../schemas/incident.example.json");

fn event(number: u64, revision: u32, phase: Phase) -> Incident {
    let mut event: Incident = serde_json::from_str(EXAMPLE).expect("the example");
    event.id = Uuid::from_u128(number.into());
    event.sequence = Sequence(number);
    (event.data.revision, event.data.phase, event.data.evidence) = (revision, phase, Vec::new());
    event
}

fn outbox() -> Uuid {
    event(1, 1, Phase::New).data.outbox_id
}

/// A book in which the example's incident was committed as number 1, with so many events in all.
fn committed(last: u64) -> Book {
    let mut book = Book::default();
    let incident = event(1, 1, Phase::New).data.incident_id;
    let line = format!(r#"{{"outbox_id":"{}","first":1,"last":{last},"begun":"1:{incident}"}}"#, outbox());
    book.read_line(&line);
    book
}

fn figures(book: &Book) -> Figures {
    book.figures(&book.missing())
}

#[test]
fn what_is_committed_and_arrives_is_delivered_once() {
    let mut book = committed(2);
    book.note_incident(&event(1, 1, Phase::New));
    book.note_incident(&event(2, 2, Phase::Update));
    assert!(book.is_settled() && book.wrongs.is_empty(), "{:?}", book.wrongs);
    assert_eq!(figures(&book), Figures { made: 1, delivered: 1, events: 2, arrived: 2, ..Figures::default() });
}

#[test]
fn what_is_committed_and_never_arrives_is_lost_unless_it_was_announced() {
    let mut book = committed(1);
    assert_eq!(figures(&book), Figures { made: 1, lost: 1, events: 1, ..Figures::default() });
    book.give_up(outbox());
    assert_eq!(figures(&book), Figures { made: 1, announced: 1, events: 1, ..Figures::default() });
}

#[test]
fn what_is_let_through_twice_or_opened_twice_is_seen_twice() {
    let mut book = committed(2);
    book.note_incident(&event(1, 1, Phase::New));
    book.note_incident(&event(1, 1, Phase::New));
    assert!(figures(&book).twice > 0, "the same event");
    let mut book = committed(2);
    book.note_incident(&event(1, 1, Phase::New));
    let mut again = event(2, 1, Phase::New);
    again.data.incident_id = Uuid::from_u128(99);
    book.note_incident(&again);
    assert_eq!(figures(&book).twice, 1, "two incidents of one cause");
}

#[test]
fn a_gap_a_disorder_and_a_life_after_the_end_are_wrong() {
    let orders: [&[(u64, u32, Phase)]; 4] = [
        &[(1, 1, Phase::New), (2, 3, Phase::Update)],
        &[(2, 2, Phase::Update), (1, 1, Phase::New)],
        &[(1, 1, Phase::New), (2, 2, Phase::New)],
        &[(1, 1, Phase::New), (1, 2, Phase::Update)],
    ];
    for order in orders {
        let mut book = committed(3);
        for (number, revision, phase) in order {
            let mut event = event(*number, *revision, *phase);
            event.id = Uuid::from_u128((u128::from(*number) << 64) + u128::from(*revision));
            book.note_incident(&event);
        }
        assert!(!book.wrongs.is_empty(), "{order:?}");
    }
    let mut book = committed(3);
    book.note_incident(&event(1, 1, Phase::New));
    let mut end = event(2, 2, Phase::End);
    end.data.ended_at = Some(end.time);
    book.note_incident(&end);
    assert!(book.wrongs.is_empty(), "{:?}", book.wrongs);
    book.note_incident(&event(3, 3, Phase::Update));
    assert!(!book.wrongs.is_empty());
    let mut book = committed(1);
    book.commit(outbox(), [3], []);
    assert!(!book.wrongs.is_empty(), "number 2 was skipped");
}

/// An event of a crowd: number, incident, phase; an `end` is over.
fn crowd(number: u64, incident: u128, revision: u32, phase: Phase) -> Incident {
    let mut event = event(number, revision, phase);
    (event.data.kind, event.data.incident_id) = ("crowding".into(), Uuid::from_u128(incident));
    event.data.ended_at = (phase == Phase::End).then_some(event.time);
    // Else it would be an exact double.
    event.data.tracks[0].track_id = number;
    event
}

#[test]
fn a_crowd_that_begins_while_one_of_its_rule_is_open_is_seen_twice_in_whatever_order_it_arrives() {
    let told = [crowd(1, 1, 1, Phase::New), crowd(2, 2, 1, Phase::New), crowd(3, 1, 2, Phase::End)];
    for order in [[0, 1, 2], [1, 0, 2], [0, 2, 1]] {
        let mut book = Book::default();
        order.into_iter().for_each(|at| book.note_incident(&told[at]));
        assert_eq!(figures(&book).twice, 1, "{order:?}: {:?}", book.wrongs);
    }
    // After its end, by the order of commits: not although the end arrives later, and not of another rule.
    let told = [crowd(1, 1, 1, Phase::New), crowd(2, 1, 2, Phase::End), crowd(3, 2, 1, Phase::New)];
    for order in [[0, 1, 2], [0, 2, 1], [2, 0, 1]] {
        let mut book = Book::default();
        order.into_iter().for_each(|at| book.note_incident(&told[at]));
        assert_eq!((figures(&book).twice, book.wrongs.as_slice()), (0, &[][..]), "{order:?}");
    }
    let mut book = Book::default();
    book.note_incident(&crowd(1, 1, 1, Phase::New));
    let mut other = crowd(2, 2, 1, Phase::New);
    other.data.why.rule = "another".into();
    book.note_incident(&other);
    assert_eq!(figures(&book).twice, 0);
}

#[test]
fn what_was_open_when_the_program_ended_is_owed_until_a_later_event_tells_of_it() {
    let incident = event(1, 1, Phase::New).data.incident_id;
    let mut book = committed(2);
    book.owe(outbox(), [incident]);
    book.note_incident(&event(1, 1, Phase::New));
    book.note_incident(&event(2, 2, Phase::Update));
    assert_eq!(book.owed(), [incident].into(), "told before the program ended, though it arrives afterwards");
    // Killed again, before it said anything.
    book.commit(outbox(), [3], []);
    book.owe(outbox(), [incident]);
    book.note_incident(&event(3, 3, Phase::Update));
    assert!(book.owed().is_empty(), "the one that was started in between has said it");
    book.owe(outbox(), [incident]);
    book.give_up(outbox());
    assert!(book.owed().is_empty(), "nobody can tell of what was in a damaged database");
}

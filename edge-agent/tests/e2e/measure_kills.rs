//! Traffic measures of a program that is killed in the midst of an interval.

use edge_agent::publish::wire::{Incident, Measurement, UtcMillis};

use crate::agent::Agent;
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::ledger::Ledger;
use crate::site::SiteFile;

/// How often it is killed.
const KILLS: usize = 2;

/// What was counted for no longer than this may be lost to a kill: the sums are kept every second, the rest is for a slow disk.
const UNKEPT_MS: i64 = 3_000;

fn crossings(ledger: &Ledger) -> impl Iterator<Item = &Incident> {
    ledger.events.iter().filter(|event| event.data.line.is_some())
}

/// Whether somebody was counted who is in no message yet, and that is kept by now.
fn has_begun_an_interval(ledger: &Ledger) -> bool {
    let Some(over) = ledger.measurements.last().map(|last| last.data.ended_at) else { return false };
    let latest = ledger.events.iter().map(|event| event.time.as_unix_millis()).max();
    let kept = |event: &Incident| latest.is_some_and(|latest| latest - event.time.as_unix_millis() > UNKEPT_MS);
    crossings(ledger).any(|event| event.time >= over && kept(event))
}

fn is_within(event: &Incident, message: &Measurement) -> bool {
    event.time >= message.data.started_at && event.time < message.data.ended_at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_survive_kills_in_the_midst_of_an_interval_once() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "");
    let site = site.replaced("enabled = false", "interval = \"10s\"");
    let mut ledger = Ledger::open(&broker).await;
    let mut killed = Vec::new();
    for _ in 0..KILLS {
        let agent = Agent::run(&site.write());
        let before = ledger.measurements.len();
        let in_the_midst = |ledger: &Ledger| ledger.measurements.len() > before && has_begun_an_interval(ledger);
        ledger.until("an interval is over and the next one counts", in_the_midst).await;
        agent.kill();
        killed.push(UtcMillis::now());
    }
    let agent = Agent::run(&site.write());
    let last = killed[KILLS - 1];
    let is_told = |ledger: &Ledger| ledger.measurements.iter().any(|message| message.data.started_at > last);
    ledger.until("a whole interval after the last kill", is_told).await;
    ledger.until("only what is live is left", Ledger::is_up_to_date).await;
    agent.stop().succeeded();
    ledger.until("the last ones", Ledger::is_gapless).await;

    let messages = &ledger.measurements;
    for pair in messages.windows(2) {
        assert_eq!(pair[0].data.ended_at, pair[1].data.started_at, "every interval is told, once");
    }
    for message in messages {
        for line in &message.data.lines {
            let way = |event: &&Incident| {
                event.data.line.as_ref() == Some(&line.line) && event.data.direction.as_ref() == Some(&line.direction)
            };
            let told: Vec<&Incident> =
                crossings(&ledger).filter(|event| is_within(event, message)).filter(way).collect();
            let may_be_lost = |event: &&&Incident| {
                let age = |kill: &UtcMillis| kill.as_unix_millis() - event.time.as_unix_millis();
                killed.iter().any(|kill| (0..=UNKEPT_MS).contains(&age(kill)))
            };
            let least = told.len() - told.iter().filter(may_be_lost).count();
            let counted = line.total as usize;
            assert!((least..=told.len()).contains(&counted), "{counted} of {}, {least} kept: {message:?}", told.len());
        }
    }
    for kill in killed {
        let mut of = messages.iter().filter(|message| message.data.started_at <= kill && kill < message.data.ended_at);
        let counted: u32 = of.next().expect("told").data.lines.iter().map(|line| line.total).sum();
        assert!(counted > 0, "what was counted before the kill is told after it");
    }
}

//! A broker that is killed, and forgets everything, while incidents happen.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::agent::Agent;
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::ledger::Ledger;
use crate::site::SiteFile;

/// How often it is killed.
const KILLS: usize = 2;

/// Memory that may be kept over that; an allocator rounds.
const SLACK_MIB: u64 = 10;

/// Events that happen each time while it is away.
const MISSED: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_doubled_over_broker_kills() {
    let (mut broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "");
    let mut ledger = Ledger::open(&broker).await;
    let agent = Agent::run(&site.write());
    ledger.until_more(6).await;
    let memory = agent.resident_mib();
    for kill in 0..KILLS {
        ledger.until_more(6).await;
        assert!(kill > 0 || ledger.events.iter().all(|event| !event.data.replayed), "live, yet marked as late");
        broker.kill();
        ledger.until("the loss is noticed", |ledger| !ledger.connected).await;
        let arrived: BTreeSet<Uuid> = ledger.events.iter().map(|event| event.id).collect();
        let stored = site.until_stored(|stored| stored.difference(&arrived).count() >= MISSED);
        broker.start();
        let missed: BTreeSet<Uuid> = stored.difference(&arrived).copied().collect();
        let has_all = |ledger: &Ledger| {
            let arrived: BTreeSet<Uuid> = ledger.events.iter().map(|event| event.id).collect();
            missed.is_subset(&arrived)
        };
        ledger.until("what happened meanwhile", has_all).await;
        let mut of_these = ledger.events.iter().filter(|event| missed.contains(&event.id));
        assert!(of_these.all(|event| event.data.replayed), "late, and not marked so");
    }
    ledger.until("only what is live is left", Ledger::is_up_to_date).await;
    let more = agent.resident_mib().saturating_sub(memory);
    assert!(more < SLACK_MIB, "{more} MiB more than the {memory} before");
    let done = agent.stop().succeeded();
    assert!(done.stdout.contains(" 0 waiting"), "{}", done.stdout);
    let delivered = |ledger: &Ledger| done.stdout.contains(&format!(" {} events delivered,", ledger.events.len()));
    ledger.until("as many as were delivered", delivered).await;
    assert!(ledger.is_gapless());
}

//! The program killed with SIGKILL in the midst of its work, again and again.

use edge_agent::publish::wire::UtcMillis;

use crate::agent::Agent;
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::ledger::Ledger;
use crate::site::SiteFile;

/// How often it is killed.
const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_doubled_over_agent_kills_and_no_incident_stays_open() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).camera("nam", &cameras.url("one"), "");
    let mut ledger = Ledger::open(&broker).await;
    // Incidents that were open when it was killed, and when that was.
    let mut left_open = Vec::new();
    for _ in 0..KILLS {
        let agent = Agent::run(&site.write());
        ledger.until_more(8).await;
        ledger.until("something goes on", |ledger| !ledger.open_incidents().is_empty()).await;
        agent.kill();
        left_open.extend(ledger.open_incidents().into_iter().map(|incident| (incident, UtcMillis::now())));
    }
    let agent = Agent::run(&site.write());
    let taken_up = |ledger: &Ledger, incident, killed: UtcMillis| {
        let mut of = ledger.events.iter().filter(|event| event.data.incident_id == incident);
        of.any(|event| event.recordedtime > killed)
    };
    // It may have ended just before the kill, its last event still on its way.
    let settled = |ledger: &Ledger| {
        let open = ledger.open_incidents();
        left_open.iter().all(|(incident, killed)| !open.contains(incident) || taken_up(ledger, *incident, *killed))
    };
    ledger.until("what was open goes on or is over", settled).await;
    let survivors = left_open.iter().filter(|(incident, killed)| taken_up(&ledger, *incident, *killed)).count();
    assert!(survivors > 0, "of {}", left_open.len());
    ledger.until("only what is live is left", Ledger::is_up_to_date).await;
    let done = agent.stop().succeeded();
    assert!(done.stdout.contains(" 0 waiting"), "{}", done.stdout);
    ledger.until("the last ones", Ledger::is_gapless).await;
}

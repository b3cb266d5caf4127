//! Incidents with their pictures: on disk, in the events, over the link, and after everything that can end the program.

use std::path::Path;

use edge_agent::publish::wire::{Incident, Phase};
use sha2::{Digest, Sha256};

use crate::agent::{Agent, edge_agent};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::ledger::Ledger;
use crate::site::SiteFile;

/// How often it is killed with pictures pending.
const KILLS: usize = 4;

/// Checks the file of a picture against the revision that says it is ready: size, digest, and the boxes drawn in it.
fn prove(site: &SiteFile, event: &Incident) {
    let piece = &event.data.evidence[0];
    let file = site.picture(event.data.incident_id, &piece.name);
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(piece.bytes, Some(bytes.len() as u64));
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(piece.sha256.as_deref(), Some(digest.as_str()));
    assert_eq!((piece.kind.as_ref(), piece.privacy.as_ref(), &piece.reason), ("snapshot", "blurred", &None));
    let image = image::load_from_memory(&bytes).expect("a JPEG").into_rgb8();
    // The revision repeats the event that was last told; the picture shows the first one.
    assert!(!event.data.tracks.is_empty());
    for track in &event.data.tracks {
        let [left, top, right, bottom] = track.bbox;
        let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
        let edges = [(left, y), (right, y), (x, bottom)];
        let drawn = edges.iter().filter(|(x, y)| is_drawn(&image, *x, *y)).count();
        assert!(drawn >= 2, "{:?} is not drawn in {}", track.bbox, file.display());
    }
}

/// Whether the strong ink is within two pixels of a place; JPEG smears colours.
fn is_drawn(image: &image::RgbImage, x: f64, y: f64) -> bool {
    let place = |at: f64, size: u32| ((at * f64::from(size)) as i64, i64::from(size) - 1);
    let ((x, right), (y, bottom)) = (place(x, image.width()), place(y, image.height()));
    let near = (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (x + dx, y + dy)));
    near.map(|(x, y)| image.get_pixel(x.clamp(0, right) as u32, y.clamp(0, bottom) as u32).0)
        .any(|[r, g, b]| r > 150 && i32::from(r) > i32::from(g) + 50 && i32::from(r) > i32::from(b) + 60)
}

/// Revisions that say that a picture is ready.
fn ready(ledger: &Ledger) -> impl Iterator<Item = &Incident> {
    let states = |event: &&Incident| event.data.evidence.iter().any(|piece| piece.state == "ready");
    ledger.events.iter().filter(states)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_arrives_with_the_picture_that_proves_it() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).with_pictures().camera("nam", &cameras.url("one"), "");
    let mut ledger = Ledger::open(&broker).await;
    let saved = tempfile::tempdir().expect("a folder");
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let folder = saved.path().to_str().expect("text");
    let watcher = Agent::start(&mut edge_agent(["watch", "--broker", &url, "--save", folder]));
    watcher.stdout.line_with("đã kết nối");
    let agent = Agent::run(&site.write());
    ledger.until("pictures", |ledger| ledger.pictures.len() >= 4 && ready(ledger).count() >= 4).await;
    agent.stop().succeeded();
    ledger.until("every picture is settled", |ledger| ledger.unsettled().is_empty()).await;
    // Those that were told once only: what follows shows other boxes than the picture.
    let told = |event: &&Incident| event.data.revision == 2;
    let proved = ready(&ledger).filter(told).inspect(|event| prove(&site, event)).count();
    assert!(proved > 0);
    assert!(ready(&ledger).all(|event| event.data.phase != Phase::New));
    let line = watcher.stdout.line_with("đã lưu: ");
    let path = line.split("đã lưu: ").nth(1).expect("a path");
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).expect("text");
    let incident = name.split('_').nth(2).and_then(|id| id.parse().ok()).expect("an id");
    assert!(name.starts_with("nut-thu_box-a_") && name.ends_with("_1.jpg"), "{name}");
    assert_eq!(std::fs::read(path).expect("is there"), ledger.pictures[&incident]);
    watcher.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_picture_is_forgotten_over_agent_kills_while_the_broker_is_away() {
    let (mut broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port()).with_pictures().camera("nam", &cameras.url("one"), "");
    let mut ledger = Ledger::open(&broker).await;
    for kill in 0..KILLS {
        let agent = Agent::run(&site.write());
        ledger.until_more(4).await;
        // An event has just arrived whose picture is being made.
        ledger.until("a picture is pending", |ledger| !ledger.unsettled().is_empty()).await;
        if kill % 2 == 1 {
            broker.kill();
            let stored = site.until_stored(|_| true).len();
            site.until_stored(|now| now.len() >= stored + 4);
        }
        agent.kill();
        if kill % 2 == 1 {
            broker.start();
        }
    }
    let agent = Agent::run(&site.write());
    ledger.until_more(4).await;
    ledger.until("only what is live is left", Ledger::is_up_to_date).await;
    agent.stop().succeeded();
    ledger.until("every picture is settled", |ledger| ledger.unsettled().is_empty() && ledger.is_gapless()).await;
    for event in ready(&ledger) {
        let piece = &event.data.evidence[0];
        let file = std::fs::read(site.picture(event.data.incident_id, &piece.name)).expect("is there");
        assert_eq!(piece.bytes, Some(file.len() as u64));
    }
    let failed = ledger.events.iter().flat_map(|event| &event.data.evidence).filter(|piece| piece.state == "failed");
    for piece in failed {
        let reason = piece.reason.as_deref();
        assert!(matches!(reason, Some("interrupted" | "busy")), "{piece:?}");
    }
    let leftovers = std::fs::read_dir(site.storage().join("evidence")).expect("lists");
    let names = leftovers.map(|entry| entry.expect("lists").file_name().into_string().expect("text"));
    let odd: Vec<String> = names.filter(|name| !name.ends_with(".jpg")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

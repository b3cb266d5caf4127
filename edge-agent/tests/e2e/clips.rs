//! Clips of incidents, and pictures of the full-size stream: on disk, in the events, in a browser, and after a kill.

use edge_agent::publish::wire::{Evidence, Incident};
use sha2::{Digest, Sha256};

use crate::agent::Agent;
use crate::clip::Cameras;
use crate::common::browser::Browser;
use crate::common::mosquitto::Mosquitto;
use crate::ledger::Ledger;
use crate::site::SiteFile;

/// A site that keeps clips of everything, of a camera with a small stream and a large one.
fn site(broker: &Mosquitto, cameras: &Cameras, rolls: &str) -> SiteFile {
    let record = format!("\" }}\nrecord = {{ url = \"{}", cameras.url("main"));
    let clips = format!("[evidence]\nclips = true\nclips_from = \"info\"\n{rolls}\n");
    let site = SiteFile::new(broker.port()).with_pictures().replaced("[evidence]\n", &clips);
    site.camera("nam", &(cameras.url("one") + &record), "")
}

fn piece<'a>(event: &'a Incident, kind: &str) -> Option<&'a Evidence> {
    event.data.evidence.iter().find(|piece| piece.kind == kind)
}

fn is(event: &Incident, kind: &str, state: &str) -> bool {
    piece(event, kind).is_some_and(|piece| piece.state == state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_has_a_clip_that_a_browser_plays_and_a_picture_of_full_size() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = site(&broker, &cameras, "pre_roll = \"2s\"\npost_roll = \"3s\"");
    let mut ledger = Ledger::open(&broker).await;
    let agent = Agent::run(&site.write());
    let is_whole = |event: &&Incident| {
        let is_full = |piece: &Evidence| piece.stream.as_deref() == Some("record");
        is(event, "clip", "ready") && is(event, "snapshot", "ready") && piece(event, "snapshot").is_some_and(is_full)
    };
    ledger.until("a clip and a full-size picture", |ledger| ledger.events.iter().any(|event| is_whole(&event))).await;
    let event = ledger.events.iter().find(is_whole).expect("just seen").clone();
    for kind in ["clip", "snapshot"] {
        let piece = piece(&event, kind).expect("announced");
        let file = std::fs::read(site.picture(event.data.incident_id, &piece.name)).expect("is there");
        assert_eq!(piece.bytes, Some(file.len() as u64));
        let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(piece.sha256.as_deref(), Some(digest.as_str()));
        let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("full-size-{}", piece.name));
        std::fs::write(kept, file).expect("writes");
    }
    let [clip, picture] = ["clip", "snapshot"].map(|kind| piece(&event, kind).expect("announced"));
    let jpeg = std::fs::read(site.picture(event.data.incident_id, &picture.name)).expect("is there");
    let size = image::load_from_memory(&jpeg).expect("a JPEG").into_rgb8().dimensions();
    assert_eq!(size, (768, 576), "the analysed picture has half that");
    // A group of two seconds before the pre-roll, what led to it, and a stream that begins anew.
    let asked = clip.to.expect("known").as_unix_millis() - clip.from.expect("known").as_unix_millis();
    assert!((2_000..=13_000).contains(&asked), "{asked} ms");

    let mut browser = Browser::start(800);
    browser.open(&format!("file://{}", site.picture(event.data.incident_id, &clip.name).display()));
    browser.until("document.querySelector('video')?.readyState >= 2");
    let duration = browser.value("document.querySelector('video').duration").as_f64().expect("a number");
    assert!((duration * 1000.0 - asked as f64).abs() < 1500.0, "{duration} s, not {asked} ms");
    browser.value("document.querySelector('video').play().then(() => true)");
    browser.until("document.querySelector('video').currentTime > 0.5");
    let width = browser.value("document.querySelector('video').videoWidth");
    assert_eq!(width, serde_json::json!(768));
    agent.stop().succeeded();
    ledger.until("every piece is settled", |ledger| ledger.unsettled().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clip_that_waits_for_its_end_when_the_program_is_killed_has_failed_after_the_restart() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = site(&broker, &cameras, "post_roll = \"60s\"");
    let mut ledger = Ledger::open(&broker).await;
    let agent = Agent::run(&site.write());
    ledger.until("a clip waits", |ledger| ledger.events.iter().any(|event| is(event, "clip", "pending"))).await;
    agent.kill();
    let waiting = ledger.events.iter().find(|event| is(event, "clip", "pending")).expect("just seen").data.incident_id;
    let agent = Agent::run(&site.write());
    let has_failed = |event: &Incident| {
        let clip = piece(event, "clip").filter(|clip| clip.state == "failed");
        event.data.incident_id == waiting && clip.is_some_and(|clip| clip.reason.as_deref() == Some("interrupted"))
    };
    ledger.until("it has failed", |ledger| ledger.events.iter().any(has_failed)).await;
    assert!(!site.picture(waiting, "1.mp4").exists());
    // A stop waits for what is live only.
    ledger.until("only what is live is left", Ledger::is_up_to_date).await;
    // What still waits is cut where the program stops.
    agent.stop().succeeded();
    ledger.until("every piece is settled", |ledger| ledger.unsettled().is_empty()).await;
}

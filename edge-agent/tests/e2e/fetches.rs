//! Pictures and clips on demand, through the broker: a picture of now, evidence in parts, within the day's budget.

use std::path::Path;

use edge_agent::command::FETCH_PER_DAY;
use edge_agent::publish::wire::{AckState, Evidence, Incident, UtcMillis};
use uuid::Uuid;

use crate::agent::Agent;
use crate::centre::{Centre, Seen};
use crate::clip::Cameras;
use crate::common::mosquitto::Mosquitto;
use crate::operators::{answers_to, command};
use crate::orders::BOX;
use crate::site::SiteFile;

/// What a part weighs.
const PART: u64 = 16 * 1024;
const DAY_MS: i64 = 86_400_000;

/// A camera whose clips are short and small, and one that is not there.
fn site(broker: &Mosquitto, cameras: &Cameras) -> SiteFile {
    let record = format!("\" }}\nrecord = {{ url = \"{}", cameras.url("two"));
    let clips = "[evidence]\nclips = true\nclips_from = \"info\"\npre_roll = \"3s\"\npost_roll = \"3s\"\n";
    let site = SiteFile::new(broker.port()).with_pictures().replaced("[evidence]\n", clips);
    site.camera("nam", &(cameras.url("one") + &record), "").camera("bac", "rtsp://127.0.0.1:9/none", "")
}

/// An incident whose picture and clip of some parts are on the disk: what is said of the clip.
fn whole(seen: &Seen) -> Option<(Uuid, &Evidence)> {
    let ready = |event: &&Incident, kind: &str, least: u64| {
        let is_so = |piece: &Evidence| piece.kind == kind && piece.bytes.is_some_and(|bytes| bytes > least);
        event.data.evidence.iter().position(is_so)
    };
    let both = |event: &&Incident| ready(event, "snapshot", 0).is_some() && ready(event, "clip", 3 * PART).is_some();
    let event = seen.events.iter().find(both)?;
    Some((event.data.incident_id, &event.data.evidence[ready(&event, "clip", 3 * PART)?]))
}

/// Asks for a file of the box; the exit code, the last answer's reason, and up to where it came.
fn fetch(broker: &Mosquitto, incident: Uuid, name: &str, into: &Path) -> (i32, Option<String>, Option<u64>) {
    let (incident, into) = (incident.to_string(), into.to_str().expect("text"));
    let asked = ["evidence-fetch", &incident, name, "--save", into];
    let (acks, code) = answers_to(broker, &["--wait", "100s"], &asked);
    let last = acks.last().expect("an answer");
    (code, last.reason.as_deref().map(str::to_owned), last.file.as_ref().and_then(|file| file.offset))
}

/// Has the box, which is stopped, remember that it sent so much on demand on this day.
fn remember_sent(site: &SiteFile, day: i64, bytes: u64) {
    let database = rusqlite::Connection::open(site.storage().join("outbox.sqlite")).expect("opens");
    let value = format!("{{\"day\":{day},\"bytes\":{bytes}}}");
    let changed = database.execute("UPDATE setting SET value = ?1 WHERE name = 'sent-on-demand'", [value]);
    assert_eq!(changed.expect("writes"), 1, "it is counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_now_and_a_clip_come_whole_and_no_more_than_the_days_budget() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = site(&broker, &cameras);
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until("a picture and a clip", |seen| whole(seen).is_some()).await;
    let (incident, clip) = whole(&centre.seen).map(|(id, clip)| (id, clip.clone())).expect("just seen");
    let saved = tempfile::tempdir().expect("a folder");

    let (acks, code) = answers_to(&broker, &[], &["snapshot", "nam"]);
    let states: Vec<AckState> = acks.iter().map(|ack| ack.state).collect();
    assert_eq!((states, code), (vec![AckState::Accepted, AckState::Done], 0), "{acks:?}");
    let (asked, made) = (acks[1].id.expect("its own"), acks[1].file.clone().expect("made"));
    let thumbnail = format!("{BOX}/evidence/nam/{asked}/{}", made.name);
    centre.until("its thumbnail", |seen| seen.pictures.contains(&thumbnail)).await;
    assert_eq!(fetch(&broker, asked, &made.name, saved.path()), (0, None, Some(made.bytes)));
    let picture = std::fs::read(saved.path().join(format!("{asked}_{}", made.name))).expect("saved");
    assert_eq!(picture, std::fs::read(site.picture(asked, &made.name)).expect("kept"));
    assert!(image::load_from_memory(&picture).expect("a JPEG").width() >= 384);
    let gone = command(&broker, &["--lang", "en"], &["snapshot", "bac"]);
    assert!(gone.stdout.contains("(no_picture)"), "{}", gone.stdout);
    gone.failed(1);
    let unknown = fetch(&broker, incident, "7.mp4", saved.path());
    assert_eq!(unknown, (1, Some("unknown_evidence".to_owned()), None));

    // Two parts of today's budget are left.
    let total = clip.bytes.expect("ready");
    agent.stop().succeeded();
    let today = UtcMillis::now().as_unix_millis().div_euclid(DAY_MS);
    // Until after midnight, should that come meanwhile.
    for day in [today, today + 1] {
        remember_sent(&site, day, FETCH_PER_DAY - 2 * PART - 1);
        let agent = Agent::run(&site.write());
        centre.until_online(centre.seen.births.len()).await;
        let used_up = Some("budget_used_up".to_owned());
        let first = fetch(&broker, incident, &clip.name, saved.path());
        if UtcMillis::now().as_unix_millis().div_euclid(DAY_MS) == day {
            assert_eq!(first, (1, used_up.clone(), Some(2 * PART)));
            assert_eq!(fetch(&broker, incident, &clip.name, saved.path()), (1, used_up, None), "refused at once");
            agent.stop().succeeded();
            break;
        }
        agent.stop().succeeded();
    }
    let part = saved.path().join(format!("{incident}_{}.part", clip.name));
    assert_eq!(part.metadata().expect("is there").len(), 2 * PART);

    // Another day: it goes on from there.
    remember_sent(&site, today - 1, FETCH_PER_DAY);
    let agent = Agent::run(&site.write());
    centre.until_online(centre.seen.births.len()).await;
    let chunks = centre.seen.chunks.len();
    assert_eq!(fetch(&broker, incident, &clip.name, saved.path()), (0, None, Some(total)));
    let fetched = std::fs::read(saved.path().join(format!("{incident}_{}", clip.name))).expect("saved");
    assert!(fetched == std::fs::read(site.picture(incident, &clip.name)).expect("kept") && !part.exists());
    let rest = (total - 2 * PART).div_ceil(PART) as usize;
    centre.until("the parts that were left", |seen| seen.chunks.len() >= chunks + rest).await;
    assert_eq!(centre.seen.chunks.len(), chunks + rest, "none twice");
    agent.stop().succeeded();
}

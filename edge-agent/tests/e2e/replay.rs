//! `replay`: files in, events out.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use edge_agent::publish::wire::{Incident, MEASUREMENT_TYPE, Measurement, Phase, Sequence};

use crate::agent::{Finished, finished, root};
use crate::clip::{piece, vtest};
use crate::common::contract;
use crate::site::{SiteFile, one_camera};

/// Frames of the clip, at ten a second.
const FRAMES: u64 = 795;

fn demo_site() -> PathBuf {
    root().join("edge-agent/deploy/demo-site.toml")
}

/// `replay CLIP… --site SITE` with further arguments.
fn replayed(clips: &[&Path], site: &Path, more: &[&str]) -> Finished {
    let clips = clips.iter().map(|clip| clip.as_os_str().to_owned());
    let site = ["--site".into(), site.as_os_str().to_owned()];
    let more = more.iter().map(OsString::from);
    finished([OsString::from("replay")].into_iter().chain(clips).chain(site).chain(more))
}

/// The whole clip with the demo's site: its events and its tracks.
pub(crate) struct Whole {
    pub(crate) events: String,
    pub(crate) tracks: String,
}

/// Replayed once for all tests of this file.
pub(crate) fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let (events, tracks) = (folder.path().join("events.jsonl"), folder.path().join("tracks.txt"));
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let more = ["--events", &text(&events), "--tracks", &text(&tracks)];
        let done = replayed(&[&vtest()], &demo_site(), &more).succeeded();
        assert_eq!(done.stdout, "", "events go to their file");
        let read = |path| std::fs::read_to_string(path).expect("was written");
        Whole { events: read(events), tracks: read(tracks) }
    })
}

/// Traffic measures as they were printed, each checked against the contract.
fn measurements(lines: &str) -> Vec<Measurement> {
    let read = |line: &str| {
        let measurement: Measurement = serde_json::from_str(line).expect("a measure a line");
        let source = &measurement.source["/ngatu".len()..];
        contract::validate(&format!("ngatu/v1{source}/measure/{}", measurement.subject), line.as_bytes());
        measurement
    };
    lines.lines().filter(|line| line.contains(MEASUREMENT_TYPE)).map(read).collect()
}

/// Events as they were printed, each checked against the contract.
fn events(lines: &str) -> Vec<Incident> {
    let read = |line: &str| {
        let event: Incident = serde_json::from_str(line).expect("an event a line");
        let topic = format!("ngatu/v1{}/event/{}/{}", &event.source["/ngatu".len()..], event.subject, event.data.kind);
        contract::validate(&topic, line.as_bytes());
        event
    };
    lines.lines().filter(|line| !line.contains(MEASUREMENT_TYPE)).map(read).collect()
}

/// The first line of a file of tracks.
pub(crate) fn analysed_frames(tracks: &str) -> Vec<u64> {
    let first = tracks.lines().next().expect("a first line");
    let frames = first.strip_prefix("# analysed_frames: ").expect("it lists the frames that were analysed");
    frames.split(',').map(|frame| frame.parse().expect("a number")).collect()
}

#[test]
fn the_same_clip_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let tracks = folder.path().join("tracks.txt");
    let more = ["--events", "-", "--tracks", tracks.to_str().expect("UTF-8")];
    let again = replayed(&[&vtest()], &demo_site(), &more).succeeded();
    assert!(again.stdout == whole().events, "events differ");
    assert!(std::fs::read_to_string(tracks).expect("was written") == whole().tracks, "tracks differ");
    let events = events(&whole().events).len();
    assert!(again.stderr.contains(&format!("{FRAMES} frames, 398 analysed")), "{}", again.stderr);
    assert!(again.stderr.contains(&format!("{events} events")), "{}", again.stderr);
}

#[test]
fn people_who_cross_are_counted_in_both_directions() {
    let mut crossings: BTreeMap<String, usize> = BTreeMap::new();
    for event in events(&whole().events).iter().filter(|event| event.data.line.as_deref() == Some("mid")) {
        assert!(event.data.ended_at.is_some() && event.data.phase == Phase::New, "{event:?}");
        *crossings.entry(event.data.direction.clone().expect("a direction").into_owned()).or_default() += 1;
    }
    assert_eq!(crossings.keys().collect::<Vec<_>>(), ["left_to_right", "right_to_left"]);
    assert!(crossings.values().sum::<usize>() >= 25, "{crossings:?}");
}

#[test]
fn what_is_measured_agrees_with_the_crossings_that_were_told() {
    let events = events(&whole().events);
    let measurements = measurements(&whole().events);
    assert!(!measurements.is_empty());
    let measured: u32 = measurements.iter().flat_map(|message| &message.data.lines).map(|line| line.total).sum();
    let told = events.iter().filter(|event| event.data.kind == "line_crossing").count();
    assert_eq!(measured as usize, told);
    let observed: f64 = measurements.iter().map(|message| message.data.observed_s).sum();
    let length = (FRAMES - 1) as f64 / 10.0;
    assert!((observed - length).abs() < 0.5, "{observed} s of {length}");
}

#[test]
fn measures_are_left_out_when_they_are_not_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let arguments = ["--events", path.to_str().expect("UTF-8"), "--no-measures", "--fps", "1"];
    replayed(&[&vtest()], &demo_site(), &arguments).succeeded();
    let lines = std::fs::read_to_string(path).expect("was written");
    assert!(measurements(&lines).is_empty());
}

#[test]
fn every_lasting_incident_begins_goes_on_and_ends() {
    let mut incidents: BTreeMap<_, Vec<Incident>> = BTreeMap::new();
    // Measures have numbers too.
    let events = events(&whole().events);
    let told = events.iter().map(|event| event.sequence);
    let measured = measurements(&whole().events).into_iter().map(|message| message.sequence);
    let sequences: BTreeSet<Sequence> = told.chain(measured).collect();
    assert!(sequences.iter().copied().eq((1..=sequences.len() as u64).map(Sequence)), "{sequences:?}");
    for event in events {
        incidents.entry(event.data.incident_id).or_default().push(event);
    }
    let is_pulse = |of: &Vec<Incident>| of[0].data.line.is_some();
    let lasting: Vec<_> = incidents.into_values().filter(|of| !is_pulse(of)).collect();
    let kinds: Vec<_> = lasting.iter().map(|of| of[0].data.kind.as_ref()).collect();
    assert!(["intrusion", "loitering", "crowding"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    for of in lasting {
        let phases: Vec<_> = of.iter().map(|event| event.data.phase).collect();
        let revisions: Vec<_> = of.iter().map(|event| event.data.revision).collect();
        assert!(phases.len() >= 2, "{of:?}");
        assert_eq!((phases[0], phases[phases.len() - 1]), (Phase::New, Phase::End));
        assert!(phases[1..phases.len() - 1].iter().all(|phase| *phase == Phase::Update), "{phases:?}");
        assert!(revisions.into_iter().eq(1..=of.len() as u32));
        let [first, last] = [&of[0].data, &of[of.len() - 1].data];
        assert!(last.ended_at.is_some_and(|ended| ended >= first.started_at), "{last:?}");
    }
}

#[test]
fn as_many_frames_are_analysed_as_asked_for() {
    assert!(analysed_frames(&whole().tracks).into_iter().eq((1..=FRAMES).step_by(2)), "five of ten a second");
    let folder = tempfile::tempdir().expect("a folder");
    let clip = piece(folder.path(), 30);
    let tracks = folder.path().join("tracks.txt");
    for (fps, step) in [("2", 5), ("5", 2), ("all", 1)] {
        let more = ["--fps", fps, "--tracks", tracks.to_str().expect("UTF-8")];
        let done = replayed(&[&clip], &demo_site(), &more).succeeded();
        assert_eq!(done.stdout, "", "who asks for tracks gets no events unless asked for too");
        let analysed = analysed_frames(&std::fs::read_to_string(&tracks).expect("was written"));
        assert_eq!(analysed, (1..=30).step_by(step).collect::<Vec<_>>(), "{fps}");
    }
    let refused = replayed(&[&clip], &demo_site(), &["--fps", "fast"]).failed(2);
    assert!(refused.contains("a number of frames a second, or all"), "{refused}");
}

#[test]
fn clips_of_one_camera_follow_one_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clip, site) = (piece(folder.path(), 80), one_camera());
    let more = ["--start", "2026-11-22T13:30:00+07:00"];
    let once = events(&replayed(&[&clip], &site.write(), &more).succeeded().stdout);
    let twice = events(&replayed(&[&clip, &clip], &site.write(), &more).succeeded().stdout);
    let second = |event: &Incident| event.time.to_string();
    assert!(!once.is_empty() && second(&once[0]).starts_with("2026-11-22T06:30:0"), "{:?}", once.first());
    let (first_half, second_half): (Vec<_>, Vec<_>) =
        twice.iter().partition(|event| second(event).as_str() < "2026-11-22T06:30:08");
    assert!(!first_half.is_empty() && !second_half.is_empty(), "{} and {}", first_half.len(), second_half.len());
    assert!(twice.iter().all(|event| second(event).as_str() < "2026-11-22T06:30:16"), "eight seconds each");
}

#[test]
fn each_clip_is_judged_by_the_rules_of_its_camera() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = piece(folder.path(), 80);
    let site = SiteFile::new(1883).camera("nam", "rtsp://127.0.0.1/one", "").camera("bac", "rtsp://127.0.0.1/two", "");
    let named = |camera: &str| PathBuf::from(format!("{camera}={}", clip.display()));
    let done = replayed(&[&named("bac"), &named("nam")], &site.write(), &[]).succeeded();
    let of = |camera: &str| {
        let of = events(&done.stdout).into_iter().filter(|event| event.subject == camera);
        of.map(|event| (event.time, event.data.why.rule)).collect::<Vec<_>>()
    };
    assert!(!of("nam").is_empty());
    assert_eq!(of("nam"), of("bac"), "the same pictures, the same rules");

    let unsaid = replayed(&[&clip], &site.write(), &[]).failed(1);
    assert!(unsaid.contains("say which camera") && unsaid.contains("nam, bac"), "{unsaid}");
    let unknown = replayed(&[&named("dong")], &site.write(), &[]).failed(1);
    assert!(unknown.contains("no camera \"dong\"") && unknown.contains("nam, bac"), "{unknown}");
    let mixed = replayed(&[&named("bac"), &named("nam")], &site.write(), &["--tracks", "-"]).failed(1);
    assert!(mixed.contains("clips of one camera"), "{mixed}");
}

#[test]
fn what_is_no_clip_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("writes");
        path
    };
    for (clip, reason) in [
        (folder.path().join("nowhere.mp4"), "no such file"),
        (file("text.mp4", &"Không phải phim. ".repeat(100)), "not a video"),
        (file("empty.avi", ""), "is empty"),
    ] {
        let refused = replayed(&[&clip], &demo_site(), &[]).failed(1);
        assert!(refused.contains(clip.to_str().expect("UTF-8")) && refused.contains(reason), "{refused}");
    }
}

#[test]
fn a_clip_that_is_cut_short_gives_the_events_up_to_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(vtest()).expect("readable");
    let (clip, tracks) = (folder.path().join("cut.avi"), folder.path().join("tracks.txt"));
    std::fs::write(&clip, &bytes[..bytes.len() / 3]).expect("writes");
    let more = ["--events", "-", "--tracks", tracks.to_str().expect("UTF-8")];
    let done = replayed(&[&clip], &demo_site(), &more);
    let common = std::iter::zip(whole().events.lines(), done.stdout.lines()).take_while(|(a, b)| a == b).count();
    let mut after = done.stdout.lines().skip(common);
    let closes = |line: &str| line.contains("\"phase\":\"end\"") || line.contains("vn.ngatu.measure.");
    assert!(common > 0 && after.all(closes), "{}", done.stdout);
    assert!(done.stdout.ends_with('\n'));
    let said = done.failed(1);
    let frames = said.split("is cut short after ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    let frames = frames.unwrap_or_else(|| panic!("{said}"));
    assert!(said.contains(clip.to_str().expect("UTF-8")), "{said}");
    let analysed = analysed_frames(&std::fs::read_to_string(tracks).expect("was written"));
    assert!(analysed.into_iter().eq((1..=frames).step_by(2)), "every frame that could be decoded is judged");
}

#[test]
fn a_rule_with_hours_speaks_within_them_by_the_site_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = piece(folder.path(), 250);
    // From six to ten at night in Việt Nam, seven hours before UTC.
    let scheduled = |schedule: &str| {
        let text = std::fs::read_to_string(demo_site()).expect("readable");
        let (name, line) = (format!("{}.toml", schedule.len()), "line = \"mid\"");
        assert!(text.contains(line));
        let path = folder.path().join(name);
        std::fs::write(&path, text.replacen(line, &format!("{line}\n{schedule}"), 1)).expect("writes");
        path
    };
    let crossings = |site: &Path, start: &str| {
        let done = replayed(&[&clip], site, &["--start", start]).succeeded();
        let found = events(&done.stdout).into_iter().filter(|event| event.data.line.as_deref() == Some("mid"));
        found.count()
    };
    let (always, evening) = (scheduled(""), scheduled("schedule = { hours = \"18:00-22:00\" }"));
    let all = crossings(&always, "2026-11-22T12:00:00Z");
    assert!(all > 0);
    assert_eq!(crossings(&evening, "2026-11-22T12:00:00Z"), all, "19:00 there");
    assert_eq!(crossings(&evening, "2026-11-22T19:00:00Z"), 0, "02:00 there");
    let turn = crossings(&evening, "2026-11-22T10:59:48Z");
    assert!(0 < turn && turn < all, "armed in the middle of the clip: {turn} of {all}");
}

//! A decoder that dozes: what is analysed while nothing moves, and from when something does.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use analytics::{BBox, Detection, WallTime};
use edge_agent::demo::rtsp::{Mount, MountOptions, RtspServer};
use edge_agent::detect::gate::{Gate, GateParams};
use edge_agent::detect::{DetectError, Detector};
use edge_agent::frame::{Frame, Picture, Turn};
use edge_agent::privacy::Masks;
use edge_agent::source::{FileSource, RtspParams, SourceState, Stillness};
use tokio::time::timeout;

use crate::stage::{Camera, DEADLINE, camera_id, make};

const FPS: u64 = 25;
/// Pictures of the clips; a key frame every second.
const LENGTH: u64 = 300;
/// The first one that shows the ball, in the middle between two key frames, and the first that shows it no more.
const BALL: std::ops::Range<u64> = 212..250;
/// Frames a second that are analysed.
const ANALYSED: f64 = 5.0;
/// Between two of them, with room for the rate of the pictures.
const INTERVAL: Duration = Duration::from_millis(245);

const CAPS: &str = "video/x-raw,format=I420,width=320,height=240,framerate=25/1";

/// Nothing moves but for a ball that is there for a moment.
fn ball(folder: &Path) -> std::path::PathBuf {
    let part = |count: u64, pattern: &str| {
        format!("videotestsrc num-buffers={count} pattern={pattern} background-color=0xff404040 ! {CAPS} ! c. ")
    };
    let before = part(BALL.start, "solid-color foreground-color=0xff404040");
    let ball = part(BALL.end - BALL.start, "ball");
    let after = part(LENGTH - BALL.end, "solid-color foreground-color=0xff404040");
    let encoder = "x264enc tune=zerolatency key-int-max=25 option-string=scenecut=0";
    let text = format!(
        "concat name=c ! {encoder} ! video/x-h264,profile=main ! h264parse ! mp4mux ! filesink location={{}} {before}{ball}{after}"
    );
    make(folder, "ball.mp4", &text)
}

/// Every picture is another one, and all weigh the same.
fn snow(folder: &Path) -> std::path::PathBuf {
    let text = format!(
        "videotestsrc num-buffers=100 pattern=snow ! {CAPS} ! \
         x264enc tune=zerolatency key-int-max=25 pass=quant quantizer=40 option-string=scenecut=0 ! \
         video/x-h264,profile=main ! h264parse ! mp4mux ! filesink location={{}}"
    );
    make(folder, "snow.mp4", &text)
}

fn digest(picture: &Picture) -> u64 {
    let mut hasher = DefaultHasher::new();
    (0..picture.height() as usize).for_each(|y| picture.row(0, y).hash(&mut hasher));
    hasher.finish()
}

/// Where in the clip each picture is; none of those that it shows more than once.
fn places(clip: &Path) -> HashMap<u64, u64> {
    let mut source = FileSource::open(clip, camera_id(), WallTime::UNIX_EPOCH, &Masks::default()).expect("opens");
    let mut seen: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut at = 0;
    while let Some(frame) = source.next_frame().expect("decodes") {
        seen.entry(digest(&frame.picture)).or_default().push(at);
        at += 1;
    }
    seen.into_iter().filter(|(_, at)| at.len() == 1).map(|(digest, at)| (digest, at[0])).collect()
}

fn serve(clip: &Path) -> (RtspServer, RtspParams) {
    let options = MountOptions { as_it_is: true, ..MountOptions::default() };
    let mounts = [Mount { path: "/clip".to_owned(), clip: clip.to_owned(), options }];
    let bind = "127.0.0.1:0".parse().expect("an address");
    let server = RtspServer::start(bind, &mounts, None, |_, _| {}).expect("serves");
    let url = format!("rtsp://{}/clip", server.address()).parse().expect("a url");
    (server, RtspParams::new(url))
}

/// What a camera's frames were, until it is enough.
struct Seen {
    seq: u64,
    pts: Duration,
    turn: Turn,
    digest: u64,
    held_for: Duration,
}

fn seen(frame: &Frame) -> Seen {
    let pts = Duration::from_nanos(frame.stamp.pts.as_nanos());
    Seen { seq: frame.stamp.seq, pts, turn: frame.turn, digest: digest(&frame.picture), held_for: frame.held_for }
}

fn assert_ascending(frames: &[Seen]) {
    for pair in frames.windows(2) {
        assert!(pair[0].seq < pair[1].seq && pair[0].pts < pair[1].pts, "{} {:?}", pair[1].seq, pair[1].pts);
        // Of frames as they come the latest wins: how many are seen is this machine's doing.
        let was_held = pair.iter().all(|frame| frame.turn != Turn::Latest);
        let gap = pair[1].pts - pair[0].pts;
        assert!(!was_held || gap < INTERVAL, "no frame that was due is missing: {gap:?} before {}", pair[1].seq);
    }
}

/// Sees nothing.
struct Blind;

impl Detector for Blind {
    fn detect(&mut self, _: &Picture, _: &[BBox], _: &mut Vec<Detection>) -> Result<(), DetectError> {
        Ok(())
    }
}

/// A motion gate, and the frames that were analysed.
#[derive(Debug)]
struct Watch(Mutex<Gate>);

impl Watch {
    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn analyse(&self, frame: &Frame) {
        let mut gate = self.gate();
        if frame.turn == Turn::Repeat {
            gate.repeat();
        }
        let (mut found, mut detections) = (Vec::new(), Vec::new());
        gate.detect(&mut Blind, &frame.picture, frame.stamp.pts, &mut found, &mut detections).expect("never fails");
    }
}

impl Stillness for Watch {
    fn still_for(&self) -> Duration {
        self.gate().still_for()
    }

    fn is_still(&self, picture: &Picture) -> bool {
        self.gate().is_still(picture)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_to_move_while_the_decoder_dozes_is_analysed_from_its_beginning_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = ball(folder.path());
    let places = places(&clip);
    let (_server, params) = serve(&clip);
    let whole = BBox::new(0.0, 0.0, 1.0, 1.0).expect("a box");
    let gate = GateParams { regions: vec![whole], input_px: 300 * 300, nms_iou: 0.5, sweep: Duration::from_secs(10) };
    let watch = Arc::new(Watch(Mutex::new(Gate::new(gate))));
    let mut camera = Camera::dozing(params, Arc::clone(&watch) as Arc<dyn Stillness>);
    camera.control.want(ANALYSED, false);
    let mut frames: Vec<Seen> = Vec::new();
    let enough = async {
        // Until the ball was there, and has had time to be there twice.
        while !frames.iter().any(|frame| places.contains_key(&frame.digest))
            || frames.last().is_none_or(|last| last.seq < 2 * LENGTH + LENGTH / 2)
        {
            let frame = camera.frame().await;
            watch.analyse(&frame);
            frames.push(seen(&frame));
        }
    };
    timeout(DEADLINE, enough).await.expect("frames come");
    assert_ascending(&frames);
    // A picture a second, of those that came while it dozed.
    let repeats = frames.iter().filter(|frame| frame.turn == Turn::Repeat).count();
    assert!(repeats > 4 && camera.slot.spared() > 20, "it dozed: {repeats}, {}", camera.slot.spared());
    // Where in its clip the stream began.
    let offset = |frame: &Seen| places.get(&frame.digest).map(|at| (at + 100 * LENGTH - frame.seq) % LENGTH);
    let offsets: Vec<u64> = frames.iter().filter_map(offset).collect();
    assert!(!offsets.is_empty() && offsets.iter().all(|offset| *offset == offsets[0]), "{offsets:?}");
    let place = |frame: &Seen| (frame.seq + offsets[0]) % LENGTH;
    // Each time the ball came; the first may have been before anything could doze.
    let shows = |frame: &Seen| BALL.contains(&place(frame));
    let begins = frames.windows(2).filter(|pair| !shows(&pair[0]) && shows(&pair[1]));
    let mut late = 0;
    for pair in begins {
        assert!(place(&pair[1]) < BALL.start + FPS / 5, "analysed from {} on", place(&pair[1]));
        late += u32::from(pair[0].turn != Turn::Latest || pair[1].turn == Turn::CatchUp);
    }
    assert!(late > 0, "it was caught up with");
    for frame in frames.iter().filter(|frame| shows(frame)) {
        assert!(frame.turn != Turn::Repeat && places.contains_key(&frame.digest), "the ball itself, {}", place(frame));
    }
    let status = camera.until(|status| status.state == SourceState::Online).await;
    assert_eq!((status.attempts, status.timestamp_jumps), (1, 0));
    camera.stop().await;
}

/// Knows of movement what it is told.
#[derive(Debug, Default)]
struct Told {
    moves: AtomicBool,
    noticed: AtomicBool,
}

impl Stillness for Told {
    fn still_for(&self) -> Duration {
        let moves = self.noticed.load(Ordering::Relaxed);
        if moves { Duration::ZERO } else { Duration::from_secs(3600) }
    }

    fn is_still(&self, _: &Picture) -> bool {
        let moves = self.moves.load(Ordering::Relaxed);
        self.noticed.store(moves, Ordering::Relaxed);
        !moves
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_frame_shows_a_change_what_came_before_it_is_decoded_after_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = snow(folder.path());
    let places = places(&clip);
    let (_server, params) = serve(&clip);
    let told = Arc::new(Told::default());
    let camera = Camera::dozing(params, Arc::clone(&told) as Arc<dyn Stillness>);
    camera.control.want(ANALYSED, false);
    let mut frames: Vec<Seen> = Vec::new();
    let count = places.len() as u64;
    assert_eq!(count, 100, "every picture is another one");
    let enough = async {
        let mut after = 0;
        while after < 3 * FPS {
            let frame = camera.frame().await;
            frames.push(seen(&frame));
            if camera.slot.spared() > 30 {
                told.moves.store(true, Ordering::Relaxed);
            }
            after += u64::from(told.noticed.load(Ordering::Relaxed));
        }
    };
    timeout(DEADLINE, enough).await.expect("frames come");
    assert_ascending(&frames);
    let of = |turn: Turn| frames.iter().filter(move |frame| frame.turn == turn);
    assert!(of(Turn::Repeat).count() >= 4, "it dozed");
    let offset = |frame: &Seen| {
        let at = places.get(&frame.digest).expect("whole, as it is in the clip");
        (at + 100 * count - frame.seq % count) % count
    };
    let own: Vec<u64> = frames.iter().filter(|frame| frame.turn != Turn::Repeat).map(offset).collect();
    assert!(own.iter().all(|offset| *offset == own[0]), "each frame has its own picture: {own:?}");
    let caught_up: Vec<&Seen> = of(Turn::CatchUp).filter(|frame| frame.held_for > Duration::ZERO).collect();
    let behind_key = caught_up.iter().filter(|frame| !(frame.seq + own[0]).is_multiple_of(FPS)).count();
    assert!(behind_key >= 4, "the pictures between two key frames: {behind_key} of {}", caught_up.len());
    camera.stop().await;
}

//! A camera's latest picture as JPEG, made when somebody asks, at most once a second, and shared by all who ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::{MediaTime, Point, Track};
use axum::body::Bytes;
use tokio::sync::{Mutex, Semaphore};

use super::sources::PageCamera;
use crate::config::Places;
use crate::evidence::canvas::{Canvas, Ink};
use crate::privacy::{self, Redaction, RedactionError};
use crate::status::Shot;

/// A picture is not made again sooner.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// Wide enough for a card on a large screen; more costs time on the box and on the link of the tunnel.
const WIDTH_PX: u32 = 640;
/// So much of a path is drawn.
const PATH_OF: Duration = Duration::from_secs(4);
/// Of 100.
const QUALITY: u8 = 75;

struct Made {
    at: Instant,
    jpeg: Bytes,
}

/// The pictures of all cameras.
pub(super) struct Pictures {
    cameras: Vec<Mutex<Option<Made>>>,
    /// However many look: pictures take one core at most from those who analyse.
    making: Arc<Semaphore>,
}

impl Pictures {
    pub(super) fn new(cameras: usize) -> Self {
        Self { cameras: (0..cameras).map(|_| Mutex::new(None)).collect(), making: Arc::new(Semaphore::new(1)) }
    }

    /// The latest picture of the camera with this index; `None` before its first.
    pub(super) async fn latest(&self, index: usize, camera: &PageCamera, now: Instant) -> Option<Bytes> {
        let mut made = self.cameras.get(index)?.lock().await;
        if let Some(made) = made.as_ref().filter(|made| now.saturating_duration_since(made.at) < AT_MOST_EVERY) {
            return Some(made.jpeg.clone());
        }
        let shot = camera.latest.get()?;
        let (places, redaction) = (camera.places.clone(), camera.redaction.clone());
        let turn = Arc::clone(&self.making).acquire_owned().await.ok()?;
        let drawn = tokio::task::spawn_blocking(move || {
            // Held until it is done, even if nobody waits for it any more.
            let _turn = turn;
            draw(&shot, &places, &redaction)
        });
        let jpeg: Bytes = drawn.await.ok()?.inspect_err(|error| tracing::error!(%error, "no picture")).ok()?.into();
        *made = Some(Made { at: now, jpeg: jpeg.clone() });
        Some(jpeg)
    }
}

/// The picture with its zones and lines, and the objects that are seen with where they went.
fn draw(shot: &Shot, places: &Places, redaction: &Redaction) -> Result<Vec<u8>, RedactionError> {
    let known = privacy::known(&shot.scene, &shot.detections);
    let mut canvas = Canvas::new(redaction.glance(&shot.picture, WIDTH_PX, &known)?);
    places.zones.iter().for_each(|zone| canvas.zone(zone, Ink::Place));
    places.lines.iter().for_each(|line| canvas.line(line, Ink::Place));
    for track in shot.scene.seen() {
        canvas.path(&path(track, shot.scene.stamp.pts), Ink::Path);
        canvas.bbox(track.bbox, &format!("{} {}", track.class.label(), track.id), Ink::Track);
    }
    Ok(canvas.jpeg(QUALITY))
}

/// Where it just went: whole paths of many objects would hide what they lead to.
fn path(track: &Track, now: MediaTime) -> Vec<Point> {
    track.path.iter().filter(|passed| now.since(passed.at) <= PATH_OF).map(|passed| passed.point).collect()
}

//! Plays access units into an appsrc, for ever, at their pace.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::encode::AccessUnits;

/// How often a media that does not run yet is asked again.
const POLL: Duration = Duration::from_millis(5);

/// A feeder that is later than this (its process was stopped, say) goes on from now, as a camera would, instead of
/// catching up.
const LATE: gst::ClockTime = gst::ClockTime::from_seconds(1);

/// Starts the feeder of one media; it ends with it.
pub(super) fn spawn(source: &gst_app::AppSrc, units: Arc<AccessUnits>) {
    source.set_caps(Some(&units.caps));
    // Weak: a feeder must not keep a media alive that nobody watches.
    let source = source.downgrade();
    let feeding = std::thread::Builder::new().name("rtsp-feed".to_owned()).spawn(move || {
        let mut begin = None;
        for (count, unit) in (0_u64..).zip(units.buffers.iter().cycle()) {
            if push(&source, &units, unit, count, &mut begin).is_none() {
                return;
            }
        }
    });
    if let Err(error) = feeding {
        tracing::error!("no thread to play a clip: {error}");
    }
}

/// Pushes one unit when it is due; `None` when the media is gone.
fn push(
    source: &gst::glib::WeakRef<gst_app::AppSrc>,
    units: &AccessUnits,
    unit: &gst::Buffer,
    count: u64,
    begin: &mut Option<gst::ClockTime>,
) -> Option<()> {
    let now = loop {
        match running_time(&source.upgrade()?) {
            Some(now) => break now,
            None => std::thread::park_timeout(POLL),
        }
    };
    let offset = units.time_of(count);
    let mut due = *begin.get_or_insert(now) + offset;
    if now > due + LATE {
        *begin = Some(now.saturating_sub(offset));
        due = now;
    }
    if let Some(wait) = due.checked_sub(now) {
        std::thread::park_timeout(wait.into());
    }
    let shown_after = units.shown_after(unit);
    let mut unit = unit.copy();
    let stamped = unit.make_mut();
    stamped.set_pts(due + shown_after);
    stamped.set_dts(due);
    stamped.set_duration(units.time_of(1));
    source.upgrade()?.push_buffer(unit).ok().map(|_| ())
}

/// None before the source plays: until then its base time is not set, and the clock's own time would be taken for it.
fn running_time(source: &gst_app::AppSrc) -> Option<gst::ClockTime> {
    (source.current_state() == gst::State::Playing).then(|| source.current_running_time()).flatten()
}

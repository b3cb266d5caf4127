//! Elements by name, and the end that every pipeline shares.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::DecodeError;

/// Samples that may wait in a lossless appsink: enough to keep the decoder busy while a frame is looked at.
const LOSSLESS_QUEUE: u32 = 4;

/// Makes an element; a decoder is kept to one thread.
///
/// # Errors
/// [`DecodeError::MissingElement`], with the package that holds it.
pub fn make(element: &str) -> Result<gst::Element, DecodeError> {
    let made = gst::ElementFactory::make(element)
        .build()
        .map_err(|_| DecodeError::MissingElement { element: element.to_owned(), package: package_of(element) })?;
    limit_threads(&made);
    Ok(made)
}

/// The first element of `preferences` that is installed.
///
/// # Errors
/// [`DecodeError::MissingElement`] when none is.
pub fn first_available(preferences: &[String]) -> Result<&str, DecodeError> {
    preferences.iter().map(String::as_str).find(|name| gst::ElementFactory::find(name).is_some()).ok_or_else(|| {
        DecodeError::MissingElement {
            element: preferences.join(" or "),
            package: preferences.first().map_or("gstreamer1.0-libav", |name| package_of(name)),
        }
    })
}

/// Decoder threads cost 11 to 32 % more CPU than one thread and gain nothing where cameras are many.
pub(crate) fn limit_threads(element: &gst::Element) {
    if element.find_property("max-threads").is_some() {
        element.set_property_from_str("max-threads", "1");
    }
}

/// `videoconvert ! video/x-raw,format={I420,NV12} ! appsink`, in `bin`: the first element and the sink. Lossy keeps the
/// latest sample only; lossless makes the decoder wait.
///
/// # Errors
/// [`DecodeError::MissingElement`] or [`DecodeError::Gstreamer`].
pub fn tail(bin: &gst::Bin, lossy: bool) -> Result<(gst::Element, gst_app::AppSink), DecodeError> {
    let convert = make("videoconvert")?;
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(["I420", "NV12"])).build();
    let sink = gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .enable_last_sample(false)
        .max_buffers(if lossy { 1 } else { LOSSLESS_QUEUE })
        .drop(lossy)
        .build();
    accept_any_stride(&sink);
    bin.add_many([&convert, sink.upcast_ref()]).map_err(|_| DecodeError::Gstreamer { action: "add elements" })?;
    convert.link(&sink).map_err(|_| DecodeError::Gstreamer { action: "link elements" })?;
    Ok((convert, sink))
}

/// Tells the decoder that strides and offsets of its own are welcome, so that it need not copy into packed rows.
fn accept_any_stride(sink: &gst_app::AppSink) {
    let pad = sink.static_pad("sink").expect("an appsink has a sink pad");
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_pad, info| {
        match info.query_mut().map(gst::QueryRef::view_mut) {
            Some(gst::QueryViewMut::Allocation(allocation)) => {
                allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// Debian's package of an element.
fn package_of(element: &str) -> &'static str {
    match element {
        name if name.starts_with("avdec_") => "gstreamer1.0-libav",
        "rtspsrc" | "rtph264depay" | "rtph265depay" | "qtdemux" | "avidemux" | "matroskademux" => {
            "gstreamer1.0-plugins-good"
        }
        "h264parse" | "h265parse" | "openh264dec" | "libde265dec" | "x265enc" => "gstreamer1.0-plugins-bad",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        name if name.starts_with("va") || name.starts_with("nv") || name.starts_with("v4l2") => {
            "gstreamer1.0-plugins-bad"
        }
        "filesrc" => "libgstreamer1.0-0",
        _ => "gstreamer1.0-plugins-base",
    }
}

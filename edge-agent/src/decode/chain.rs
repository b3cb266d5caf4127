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

/// Pixel formats that [`picture_from_sample`](super::picture_from_sample) takes as they are.
const FORMATS: [&str; 4] = ["I420", "NV12", "I420_10LE", "P010_10LE"];

/// `videoconvert ! video/x-raw,format={…} ! appsink`, in `bin`: the first element and the sink. Lossy keeps the latest
/// sample only; lossless makes the decoder wait.
///
/// # Errors
/// [`DecodeError::MissingElement`] or [`DecodeError::Gstreamer`].
pub fn tail(bin: &gst::Bin, lossy: bool) -> Result<(gst::Element, gst_app::AppSink), DecodeError> {
    let convert = make("videoconvert")?;
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(FORMATS)).build();
    let sink = gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .enable_last_sample(false)
        .max_buffers(if lossy { 1 } else { LOSSLESS_QUEUE })
        .drop(lossy)
        .build();
    accept_padded_pictures(&sink);
    bin.add_many([&convert, sink.upcast_ref()]).map_err(|_| DecodeError::Gstreamer { action: "add elements" })?;
    convert.link(&sink).map_err(|_| DecodeError::Gstreamer { action: "link elements" })?;
    Ok((convert, sink))
}

/// An appsink in `bin` for coded pictures, one buffer each, as MP4 files hold them: lengths before the parts of a picture,
/// parameter sets in the caps (ISO/IEC 14496-15).
///
/// # Errors
/// [`DecodeError::Gstreamer`].
pub fn packet_tail(bin: &gst::Bin) -> Result<gst_app::AppSink, DecodeError> {
    let whole = |name: &str, format: &str| {
        gst::Structure::builder(name).field("stream-format", format).field("alignment", "au").build()
    };
    let jpeg = gst::Structure::new_empty("image/jpeg");
    let caps: gst::Caps = [whole("video/x-h264", "avc"), whole("video/x-h265", "hvc1"), jpeg].into_iter().collect();
    let sink = gst_app::AppSink::builder().caps(&caps).sync(false).enable_last_sample(false).build();
    bin.add(&sink).map_err(|_| DecodeError::Gstreamer { action: "add elements" })?;
    Ok(sink)
}

/// Tells the decoder that it may leave its pictures where it decoded them: strides and offsets of its own are welcome,
/// and so are buffers with room around the picture. libav's decoders ask for both, the latter where the coded height is
/// not the picture's (1080 lines are coded as 1088); otherwise they copy every picture.
pub fn accept_padded_pictures(sink: &gst_app::AppSink) {
    let pad = sink.static_pad("sink").expect("an appsink has a sink pad");
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_pad, info| {
        match info.query_mut().map(gst::QueryRef::view_mut) {
            Some(gst::QueryViewMut::Allocation(allocation)) => {
                allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
                let picture = allocation.get().0.and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
                let size = picture.and_then(|picture| u32::try_from(picture.size()).ok());
                if let Some(size) = size {
                    // As many as the decoder needs.
                    allocation.add_allocation_pool(Some(&gst_video::VideoBufferPool::new()), size, 0, 0);
                }
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
        "rtspsrc" | "rtph264depay" | "rtph265depay" | "rtpjpegdepay" | "jpegdec" | "souphttpsrc" | "multipartdemux"
        | "v4l2src" | "mp4mux" | "qtdemux" | "avidemux" | "matroskademux" => "gstreamer1.0-plugins-good",
        "h264parse" | "h265parse" | "openh264dec" | "libde265dec" | "x265enc" => "gstreamer1.0-plugins-bad",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        // Of these the plugin is mostly there, and gives an element only where the driver finds its hardware.
        name if name.starts_with("va") || name.starts_with("nv") || name.starts_with("v4l2") => {
            "gstreamer1.0-plugins-bad, and the driver of its hardware"
        }
        "filesrc" | "capsfilter" => "libgstreamer1.0-0",
        _ => "gstreamer1.0-plugins-base",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoder_does_not_copy_its_pictures() {
        crate::decode::init().expect("GStreamer is installed");
        // 40 lines are coded as 48.
        let encoded = "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=64,height=40 ! x264enc ! h264parse";
        let bin = gst::parse::bin_from_description(encoded, true).expect("elements of the demo");
        let (pipeline, decoder) = (gst::Pipeline::new(), make("avdec_h264").expect("libav"));
        pipeline.add_many([bin.upcast_ref(), &decoder]).expect("new elements");
        let (convert, sink) = tail(pipeline.upcast_ref(), false).expect("elements");
        gst::Element::link_many([bin.upcast_ref(), &decoder, &convert]).expect("they fit");
        pipeline.set_state(gst::State::Playing).expect("nothing is missing");
        let sizes: Vec<usize> = std::iter::from_fn(|| sink.pull_sample().ok())
            .map(|sample| sample.buffer().expect("a picture").size())
            .collect();
        pipeline.set_state(gst::State::Null).expect("it stops");
        // The first one is decoded before it is known what is welcome.
        assert_eq!(sizes.len(), 5);
        assert!(sizes[1..].iter().all(|size| *size > 64 * 40 * 3 / 2), "packed, so copied: {sizes:?}");
    }
}

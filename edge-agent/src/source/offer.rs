//! What a camera offers, and which of it is received: the first H.264, H.265 or JPEG stream.

use gstreamer as gst;

use super::SourceError;
use super::codec::Codec;

/// What the camera offers.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) chosen: Option<Codec>,
    /// What cannot be received, audio included.
    others: Vec<String>,
}

impl Offer {
    /// Whether this stream is to be set up.
    pub(super) fn choose(&mut self, caps: &gst::CapsRef) -> bool {
        let Some(structure) = caps.structure(0) else { return false };
        let field = |name| structure.get::<&str>(name).unwrap_or("unknown");
        let (media, encoding) = (field("media"), field("encoding-name"));
        let codec = Codec::from_encoding(encoding).filter(|_| media == "video" && self.chosen.is_none());
        match codec {
            Some(codec) => self.chosen = Some(codec),
            None => self.others.push(encoding.to_owned()),
        }
        codec.is_some()
    }

    /// The reason why nothing can come, if that is so.
    pub(super) fn unsupported(&self) -> Option<SourceError> {
        let hopeless = self.chosen.is_none() && !self.others.is_empty();
        hopeless.then(|| SourceError::UnsupportedCodec { codec: self.others.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    #[test]
    fn the_first_decodable_video_stream_is_chosen() {
        decode::init().expect("GStreamer is installed");
        let caps = |media: &str, encoding: &str| {
            gst::Caps::builder("application/x-rtp").field("media", media).field("encoding-name", encoding).build()
        };
        let mut offer = Offer::default();
        let chosen: Vec<_> = [("audio", "PCMA"), ("video", "VP8"), ("video", "H265"), ("video", "H264")]
            .map(|(media, encoding)| offer.choose(&caps(media, encoding)))
            .into();
        assert_eq!(chosen, [false, false, true, false]);
        assert_eq!(offer.chosen, Some(Codec::H265));
        assert!(offer.unsupported().is_none());
    }

    #[test]
    fn an_offer_without_decodable_video_names_what_there_is() {
        decode::init().expect("GStreamer is installed");
        let mut offer = Offer::default();
        assert!(offer.unsupported().is_none(), "nothing was offered yet");
        offer.choose(
            &gst::Caps::builder("application/x-rtp").field("media", "video").field("encoding-name", "VP8").build(),
        );
        let error = offer.unsupported().expect("hopeless");
        assert_eq!(error.code(), "unsupported_codec");
        assert!(error.to_string().contains("VP8"));
    }
}

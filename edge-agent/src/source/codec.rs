//! Codecs that can be received, and the elements that each needs.

/// How a stream's pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    H264,
    H265,
    /// Motion JPEG: RFC 2435 over RTP, parts of a multipart answer over HTTP, frames of a device.
    Jpeg,
    /// Not coded at all: devices.
    Raw,
}

impl Codec {
    /// From RTP's encoding name.
    pub(super) fn from_encoding(name: &str) -> Option<Self> {
        match name {
            "H264" => Some(Self::H264),
            "H265" => Some(Self::H265),
            "JPEG" => Some(Self::Jpeg),
            _ => None,
        }
    }

    /// From the name of GStreamer's caps.
    pub(super) fn from_media_type(name: &str) -> Option<Self> {
        match name {
            "image/jpeg" => Some(Self::Jpeg),
            "video/x-raw" => Some(Self::Raw),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Jpeg => "JPEG",
            Self::Raw => "raw",
        }
    }

    /// Takes it out of RTP.
    pub(super) fn depayloader(self) -> Option<&'static str> {
        match self {
            Self::H264 => Some("rtph264depay"),
            Self::H265 => Some("rtph265depay"),
            Self::Jpeg => Some("rtpjpegdepay"),
            Self::Raw => None,
        }
    }

    /// Finds pictures in it; JPEG comes picture by picture.
    pub(super) fn parser(self) -> Option<&'static str> {
        match self {
            Self::H264 => Some("h264parse"),
            Self::H265 => Some("h265parse"),
            Self::Jpeg | Self::Raw => None,
        }
    }
}

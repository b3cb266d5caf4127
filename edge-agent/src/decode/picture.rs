//! A decoder's sample as a [`Picture`], without a copy.

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::DecodeError;
use super::narrow::{Narrowed, TenBits};
use crate::frame::{Colorimetry, Matrix, Picture, PictureLayout, PixelFormat, PlaneLayout, Range};
use crate::privacy::Masks;

/// From this height on, a picture that does not say its matrix is taken for BT.709.
const HD_HEIGHT: u32 = 720;

/// Maps the sample's buffer. Planes are where the buffer's `GstVideoMeta` says, or else where the caps say; a crop meta
/// narrows the picture. The sample's own caps are read each time, so that a camera may change its resolution.
///
/// It is seen through `masks`. Ten-bit pictures read as eight-bit ones; the mapped buffer is narrowed when they are first looked at.
///
/// # Errors
/// [`DecodeError::BadSample`] when the sample is no I420 or NV12 picture of 8 or 10 bits, or its planes lie outside its
/// buffer.
pub fn picture_from_sample(sample: &gst::Sample, masks: &Masks) -> Result<Picture, DecodeError> {
    let bad = |reason: &str| DecodeError::BadSample { reason: reason.to_owned() };
    let caps = sample.caps().ok_or_else(|| bad("no caps"))?;
    let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| bad(&format!("caps {caps} are no picture's")))?;
    let buffer = sample.buffer_owned().ok_or_else(|| bad("no buffer"))?;
    let (mut layout, ten_bits) = layout_of(&info, &buffer)?;
    layout.colorimetry = colorimetry_of(caps, layout.height);
    let data = buffer.into_mapped_buffer_readable().map_err(|_| bad("the buffer cannot be mapped"))?;
    let Some(bits) = ten_bits else { return Ok(Picture::new(layout, Box::new(data))?.masked(masks)) };
    let (layout, narrowed) = Narrowed::new(data, layout, bits)?;
    Ok(Picture::new(layout, Box::new(narrowed))?.masked(masks))
}

/// Where its planes are, in bytes, and where the bits of its samples, if they are ten.
fn layout_of(
    info: &gst_video::VideoInfo,
    buffer: &gst::BufferRef,
) -> Result<(PictureLayout, Option<TenBits>), DecodeError> {
    let (format, ten_bits) = match info.format() {
        gst_video::VideoFormat::I420 => (PixelFormat::I420, None),
        gst_video::VideoFormat::Nv12 => (PixelFormat::Nv12, None),
        gst_video::VideoFormat::I42010le => (PixelFormat::I420, Some(TenBits::Low)),
        gst_video::VideoFormat::P01010le => (PixelFormat::Nv12, Some(TenBits::High)),
        other => return Err(DecodeError::BadSample { reason: format!("format {other} is neither I420 nor NV12") }),
    };
    let meta = buffer.meta::<gst_video::VideoMeta>();
    let (width, height, offsets, strides) = match &meta {
        Some(meta) => (meta.width(), meta.height(), meta.offset(), meta.stride()),
        None => (info.width(), info.height(), info.offset(), info.stride()),
    };
    let mut planes = [PlaneLayout::default(); 3];
    for ((plane, &offset), &stride) in planes.iter_mut().zip(offsets).zip(strides) {
        let stride = usize::try_from(stride)
            .map_err(|_| DecodeError::BadSample { reason: "rows run upwards (negative stride)".to_owned() })?;
        *plane = PlaneLayout { offset, stride };
    }
    let colorimetry = Colorimetry { matrix: Matrix::Bt601, range: Range::Limited };
    let mut layout = PictureLayout { width, height, format, colorimetry, planes };
    if let Some(crop) = buffer.meta::<gst_video::VideoCropMeta>() {
        crop_to(&mut layout, crop.rect(), if ten_bits.is_some() { 2 } else { 1 });
    }
    Ok((layout, ten_bits))
}

/// Moves the planes' starts to the crop's corner; an odd corner is moved to the chroma sample that covers it.
fn crop_to(layout: &mut PictureLayout, (x, y, width, height): (u32, u32, u32, u32), sample_bytes: usize) {
    let (left, top) = (x.min(layout.width), y.min(layout.height));
    layout.width = width.min(layout.width - left);
    layout.height = height.min(layout.height - top);
    let (x, y) = (left as usize, top as usize);
    let chroma_x = match layout.format {
        PixelFormat::I420 => x / 2,
        PixelFormat::Nv12 => x / 2 * 2,
    };
    let corners = [(x, y), (chroma_x, y / 2), (chroma_x, y / 2)];
    for (plane, (x, y)) in layout.planes.iter_mut().zip(corners) {
        plane.offset += y * plane.stride + x * sample_bytes;
    }
}

/// As the stream says; what it does not say is taken as decoders do: BT.601 below HD, BT.709 from there, limited range.
fn colorimetry_of(caps: &gst::CapsRef, height: u32) -> Colorimetry {
    // From the caps' own text: VideoInfo puts a guess in its place when a part of it is missing.
    let said = caps.structure(0).and_then(|structure| structure.get::<&str>("colorimetry").ok());
    let said = said.and_then(|said| said.parse::<gst_video::VideoColorimetry>().ok());
    let matrix = match said.as_ref().map(gst_video::VideoColorimetry::matrix) {
        Some(gst_video::VideoColorMatrix::Bt601 | gst_video::VideoColorMatrix::Fcc) => Matrix::Bt601,
        Some(
            gst_video::VideoColorMatrix::Bt709
            | gst_video::VideoColorMatrix::Bt2020
            | gst_video::VideoColorMatrix::Smpte240m,
        ) => Matrix::Bt709,
        _ if height < HD_HEIGHT => Matrix::Bt601,
        _ => Matrix::Bt709,
    };
    let range = match said.as_ref().map(gst_video::VideoColorimetry::range) {
        Some(gst_video::VideoColorRange::Range0_255) => Range::Full,
        _ => Range::Limited,
    };
    Colorimetry { matrix, range }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(caps: &str, bytes: usize, dress: impl FnOnce(&mut gst::BufferRef)) -> gst::Sample {
        crate::decode::init().expect("GStreamer is installed");
        let mut buffer =
            gst::Buffer::from_slice((0..bytes).map(|k| u8::try_from(k % 251).expect("small")).collect::<Vec<u8>>());
        dress(buffer.get_mut().expect("not shared yet"));
        let caps: gst::Caps = caps.parse().expect("valid caps");
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    fn layout(caps: &str) -> PictureLayout {
        *picture_from_sample(&sample(caps, 1 << 22, |_| {}), &Masks::default()).expect("a picture").layout()
    }

    #[test]
    fn caps_alone_give_padded_strides_and_odd_sizes() {
        let planes = layout("video/x-raw,format=I420,width=5,height=3").planes;
        assert_eq!(planes.map(|plane| plane.stride), [8, 4, 4]);
        assert_eq!(planes.map(|plane| plane.offset), [0, 32, 40]);
    }

    #[test]
    fn a_video_meta_wins_over_the_caps() {
        let sample = sample("video/x-raw,format=NV12,width=6,height=4", 400, |buffer| {
            gst_video::VideoMeta::add_full(
                buffer,
                gst_video::VideoFrameFlags::empty(),
                gst_video::VideoFormat::Nv12,
                6,
                4,
                &[16, 200],
                &[32, 48],
            )
            .expect("fits");
        });
        let picture = picture_from_sample(&sample, &Masks::default()).expect("a picture");
        assert_eq!(
            picture.layout().planes[..2],
            [PlaneLayout { offset: 16, stride: 32 }, PlaneLayout { offset: 200, stride: 48 }]
        );
        assert_eq!(picture.row(1, 1), (248..254).map(|k| u8::try_from(k % 251).expect("small")).collect::<Vec<u8>>());
    }

    #[test]
    fn a_crop_narrows_the_picture() {
        let sample = sample("video/x-raw,format=I420,width=16,height=16", 16 * 24, |buffer| {
            let mut crop = gst_video::VideoCropMeta::add(buffer, (0, 0, 0, 0));
            crop.set_rect((4, 2, 8, 6));
        });
        let picture = picture_from_sample(&sample, &Masks::default()).expect("a picture");
        assert_eq!((picture.width(), picture.height()), (8, 6));
        assert_eq!(picture.row(0, 0)[0], 2 * 16 + 4);
        assert_eq!(usize::from(picture.row(1, 0)[0]), (256 + 8 + 2) % 251);
    }

    #[test]
    fn ten_bits_are_read_as_eight_also_within_a_crop() {
        for (format, luma, chroma) in [("I420_10LE", 512_u16, 128), ("P010_10LE", 512 << 6, 128)] {
            crate::decode::init().expect("GStreamer is installed");
            let mut words = vec![luma; 16 * 24];
            words[2 * 16 + 4] = luma / 512 * 64;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let mut buffer = gst::Buffer::from_slice(bytes);
            let mut crop = gst_video::VideoCropMeta::add(buffer.get_mut().expect("not shared yet"), (0, 0, 0, 0));
            crop.set_rect((4, 2, 8, 6));
            let caps: gst::Caps = format!("video/x-raw,format={format},width=16,height=16").parse().expect("caps");
            let picture =
                picture_from_sample(&gst::Sample::builder().buffer(&buffer).caps(&caps).build(), &Masks::default());
            let picture = picture.expect("a picture");
            assert_eq!((picture.width(), picture.height()), (8, 6));
            assert_eq!((picture.row(0, 0)[..2].to_vec(), picture.row(1, 0)[0]), (vec![16, 128], chroma), "{format}");
        }
    }

    #[test]
    fn colours_are_as_the_caps_say_or_as_the_height_suggests() {
        let colours = |height: u32, said: &str| {
            layout(&format!("video/x-raw,format=I420,width=64,height={height}{said}")).colorimetry
        };
        let of = |matrix, range| Colorimetry { matrix, range };
        assert_eq!(colours(64, ",colorimetry=bt709"), of(Matrix::Bt709, Range::Limited));
        assert_eq!(colours(720, ",colorimetry=bt601"), of(Matrix::Bt601, Range::Limited));
        assert_eq!(colours(64, ",colorimetry=1:3:0:0"), of(Matrix::Bt709, Range::Full));
        assert_eq!(colours(64, ",colorimetry=1:0:0:0"), of(Matrix::Bt601, Range::Full));
        assert_eq!(colours(600, ""), of(Matrix::Bt601, Range::Limited));
        assert_eq!(colours(720, ""), of(Matrix::Bt709, Range::Limited));
    }

    #[test]
    fn what_is_no_such_picture_is_refused() {
        let refused = |caps, bytes| {
            picture_from_sample(&sample(caps, bytes, |_| {}), &Masks::default()).expect_err("refused").to_string()
        };
        assert!(refused("video/x-raw,format=RGB,width=4,height=4", 64).contains("neither I420 nor NV12"));
        assert!(refused("audio/x-raw", 64).contains("no picture"));
        assert!(refused("video/x-raw,format=I420,width=64,height=64", 100).contains("does not fit"));
    }
}

//! Ten-bit pictures as eight-bit ones, when they are first looked at.
//!
//! Most frames are never looked at: a slot replaces them. So the decoder's buffer is kept as it is, and the first reader
//! of its pixels pays for the narrowing of the whole picture. Rounded, not dithered: a detector is no eye, and the same
//! stream gives the same pixels.

use std::sync::OnceLock;

use super::DecodeError;
use crate::frame::{PictureLayout, Pixels, PlaneLayout};

/// Where the ten bits lie in a little-endian word of sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TenBits {
    /// `I420_10LE`: the lower ones.
    Low,
    /// `P010_10LE`: the upper ones.
    High,
}

/// A picture of ten bits that reads as one of eight, packed.
pub(super) struct Narrowed<S> {
    source: S,
    bits: TenBits,
    /// Of the source, in bytes.
    wide: PictureLayout,
    eight: OnceLock<Box<[u8]>>,
}

impl<S: AsRef<[u8]> + Send + Sync> Narrowed<S> {
    /// Takes a source whose planes lie as `wide` says (offsets and strides in bytes); the layout that it reads as.
    ///
    /// # Errors
    /// [`DecodeError::BadSample`] when a row would lie beyond the source.
    pub(super) fn new(source: S, wide: PictureLayout, bits: TenBits) -> Result<(PictureLayout, Self), DecodeError> {
        let available = source.as_ref().len();
        let mut narrow = wide;
        let mut offset = 0;
        for plane in 0..wide.plane_count() {
            let (samples, rows) = wide.plane_size(plane);
            let PlaneLayout { offset: start, stride } = wide.planes[plane];
            let needed = stride
                .checked_mul(rows.saturating_sub(1))
                .and_then(|bytes| bytes.checked_add(start)?.checked_add(samples.checked_mul(2)?));
            if stride < 2 * samples || needed.is_none_or(|needed| needed > available) {
                let reason = format!("plane {plane} of a ten-bit picture does not fit its {available} bytes");
                return Err(DecodeError::BadSample { reason });
            }
            narrow.planes[plane] = PlaneLayout { offset, stride: samples };
            offset += samples * rows;
        }
        Ok((narrow, Self { source, bits, wide, eight: OnceLock::new() }))
    }

    fn narrow(&self) -> Box<[u8]> {
        let source = self.source.as_ref();
        let mut eight = Vec::with_capacity(self.len());
        for plane in 0..self.wide.plane_count() {
            let (samples, rows) = self.wide.plane_size(plane);
            let PlaneLayout { offset, stride } = self.wide.planes[plane];
            for row in 0..rows {
                let (words, _) = source[offset + row * stride..][..2 * samples].as_chunks::<2>();
                match self.bits {
                    TenBits::Low => eight.extend(words.iter().map(|word| rounded::<2>(*word))),
                    TenBits::High => eight.extend(words.iter().map(|word| rounded::<8>(*word))),
                }
            }
        }
        eight.into_boxed_slice()
    }
}

/// The word without its lower `BITS` bits, rounded; the highest values stay the highest.
#[inline(always)]
fn rounded<const BITS: u32>(word: [u8; 2]) -> u8 {
    let half = 1 << (BITS - 1);
    (u16::from_le_bytes(word).saturating_add(half) >> BITS).min(255) as u8
}

impl<S: AsRef<[u8]> + Send + Sync> Pixels for Narrowed<S> {
    fn len(&self) -> usize {
        (0..self.wide.plane_count()).map(|plane| self.wide.plane_size(plane)).map(|(row, rows)| row * rows).sum()
    }

    fn bytes(&self) -> &[u8] {
        self.eight.get_or_init(|| self.narrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Colorimetry, Matrix, Picture, PixelFormat, Range};

    fn layout(format: PixelFormat, planes: [(usize, usize); 3]) -> PictureLayout {
        PictureLayout {
            width: 3,
            height: 2,
            format,
            colorimetry: Colorimetry { matrix: Matrix::Bt601, range: Range::Limited },
            planes: planes.map(|(offset, stride)| PlaneLayout { offset, stride }),
        }
    }

    fn words(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn picture(source: Vec<u8>, wide: PictureLayout, bits: TenBits) -> Picture {
        let (layout, narrowed) = Narrowed::new(source, wide, bits).expect("it fits");
        Picture::new(layout, Box::new(narrowed)).expect("packed")
    }

    const LUMA: [u16; 6] = [64, 940, 1023, 0, 513, 510];
    const AS_EIGHT: [u8; 6] = [16, 235, 255, 0, 128, 128];

    #[test]
    fn the_lower_two_bits_are_rounded_away_and_padding_is_left_out() {
        // Rows of three samples in four words; chroma of two samples, one row.
        let source = words(&[&LUMA[..3], &[999], &LUMA[3..], &[999], &[512, 4], &[1020, 1023]].concat());
        let low = picture(source, layout(PixelFormat::I420, [(0, 8), (16, 4), (20, 4)]), TenBits::Low);
        assert_eq!([low.row(0, 0), low.row(0, 1)].concat(), AS_EIGHT);
        assert_eq!((low.row(1, 0), low.row(2, 0)), (&[128, 1][..], &[255, 255][..]));
    }

    #[test]
    fn ten_bits_in_the_upper_part_of_the_word_give_the_same() {
        let high = |values: &[u16]| words(&values.iter().map(|value| value << 6).collect::<Vec<_>>());
        let source = [high(&LUMA), high(&[512, 4, 1020, 1023])].concat();
        let high = picture(source, layout(PixelFormat::Nv12, [(0, 6), (12, 8), (0, 0)]), TenBits::High);
        assert_eq!([high.row(0, 0), high.row(0, 1)].concat(), AS_EIGHT);
        assert_eq!(high.row(1, 0), [128, 1, 255, 255]);
    }

    #[test]
    fn a_picture_that_nobody_looks_at_is_not_narrowed() {
        let wide = layout(PixelFormat::I420, [(0, 6), (12, 4), (16, 4)]);
        let (layout, narrowed) = Narrowed::new(vec![0_u8; 20], wide, TenBits::Low).expect("it fits");
        let narrowed = std::sync::Arc::new(narrowed);
        struct Shared(std::sync::Arc<Narrowed<Vec<u8>>>);
        impl Pixels for Shared {
            fn len(&self) -> usize {
                self.0.len()
            }
            fn bytes(&self) -> &[u8] {
                self.0.bytes()
            }
        }
        let picture = Picture::new(layout, Box::new(Shared(narrowed.clone()))).expect("packed");
        assert!(narrowed.eight.get().is_none());
        assert_eq!(picture.row(0, 0), [0; 3]);
        assert!(narrowed.eight.get().is_some());
    }

    #[test]
    fn planes_beyond_the_source_are_refused() {
        for planes in [[(0, 6), (12, 4), (17, 4)], [(0, 5), (12, 4), (16, 4)], [(usize::MAX, 6), (12, 4), (16, 4)]] {
            assert!(Narrowed::new(vec![0_u8; 20], layout(PixelFormat::I420, planes), TenBits::Low).is_err());
        }
    }
}

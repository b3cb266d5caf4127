//! Which coded pictures nothing else depends on: as much of H.264 (ISO/IEC 14496-10) and H.265 (ISO/IEC 23008-2) as that
//! needs, the headers of network abstraction layer units. What is malformed is never taken for such a picture.

use super::codec::Codec;

/// How units are told from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Start codes (Annex B).
    ByteStream,
    /// A length of so many bytes before each (ISO/IEC 14496-15).
    Length(usize),
}

impl Framing {
    /// From the decoder configuration record, where there is one: `codec_data` of GStreamer's caps.
    pub(super) fn of(codec: Codec, configuration: Option<&[u8]>) -> Option<Self> {
        let Some(record) = configuration else { return Some(Self::ByteStream) };
        let at = match codec {
            Codec::H264 => 4,
            Codec::H265 => 21,
            Codec::Jpeg | Codec::Raw => return None,
        };
        record.get(at).map(|byte| Self::Length(usize::from(byte & 3) + 1))
    }
}

/// What is to be known of one coded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Coded {
    /// No other picture is predicted from it. In H.265 that is only so when no layer is above its own.
    pub(super) is_disposable: bool,
    /// The temporal layer it is in; H.264 has one.
    pub(super) layer: u8,
    /// A clean random access picture of H.265: pictures that are shown before it may need pictures before it.
    pub(super) is_clean_access: bool,
    /// Such a picture that is shown before (RASL).
    pub(super) is_skipped_leading: bool,
}

/// Looks at an access unit.
pub(super) fn look(codec: Codec, framing: Framing, unit: &[u8]) -> Coded {
    let header = match codec {
        Codec::H264 => header_264,
        Codec::H265 => header_265,
        Codec::Jpeg | Codec::Raw => return Coded::default(),
    };
    let mut coded: Option<Coded> = None;
    let whole = units(framing, unit, |unit| {
        let Some(slice) = header(unit) else { return };
        let so_far = coded.get_or_insert(slice);
        // Of several slices, and of two fields, all count.
        so_far.is_disposable &= slice.is_disposable;
        so_far.is_skipped_leading &= slice.is_skipped_leading;
        so_far.is_clean_access |= slice.is_clean_access;
        so_far.layer = so_far.layer.max(slice.layer);
    });
    let coded = coded.unwrap_or_default();
    if whole { coded } else { Coded { is_disposable: false, ..coded } }
}

/// Of a unit that holds a slice; `None`: another one. Data partitions (2 to 4) are no camera's.
fn header_264(unit: &[u8]) -> Option<Coded> {
    let first = *unit.first()?;
    let is_forbidden = first & 0x80 != 0;
    let (reference, kind) = (first >> 5 & 3, first & 0x1f);
    (1..=5)
        .contains(&kind)
        .then(|| Coded { is_disposable: reference == 0 && kind == 1 && !is_forbidden, ..Coded::default() })
}

fn header_265(unit: &[u8]) -> Option<Coded> {
    const CRA: u8 = 21;
    let [first, second, ..] = *unit else { return None };
    let kind = first >> 1 & 0x3f;
    let temporal_id = (second & 7).checked_sub(1);
    let is_base = first & 0x81 == 0 && second >> 3 == 0;
    (kind < 32).then(|| Coded {
        // TRAIL_N, TSA_N, STSA_N, RADL_N, RASL_N; what is reserved is left alone.
        is_disposable: matches!(kind, 0 | 2 | 4 | 6 | 8) && is_base && temporal_id.is_some(),
        layer: temporal_id.unwrap_or(0),
        is_clean_access: kind == CRA,
        is_skipped_leading: matches!(kind, 8 | 9),
    })
}

/// Shows every unit; whether the data was nothing but units.
fn units(framing: Framing, mut data: &[u8], mut show: impl FnMut(&[u8])) -> bool {
    match framing {
        Framing::Length(bytes) => {
            while !data.is_empty() {
                let Some((length, rest)) = data.split_at_checked(bytes) else { return false };
                let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                let Some((unit, rest)) = rest.split_at_checked(length) else { return false };
                show(unit);
                data = rest;
            }
            true
        }
        Framing::ByteStream => {
            let mut any = false;
            while let Some(at) = start_code(data) {
                any = true;
                data = &data[at + 3..];
                // The header is all that is looked at: where the unit ends is of no interest.
                show(data);
            }
            any
        }
    }
}

/// Where the next 00 00 01 begins.
fn start_code(data: &[u8]) -> Option<usize> {
    // The third byte tells how far to go: it is seldom 0 or 1.
    let mut at = 0;
    while let Some(&[a, b, c]) = data.get(at..at + 3).and_then(|three| three.first_chunk()) {
        match (a, b, c) {
            (0, 0, 1) => return Some(at),
            (_, _, 0 | 1) => at += 1,
            _ => at += 3,
        }
    }
    None
}

/// Whatever comes as a coded picture, in whatever framing, is looked at within its bounds; see `crate::hostile`.
#[cfg(any(test, fuzzing))]
pub(crate) fn hostile(data: &[u8]) {
    let (record, unit) = data.split_at(data.len().min(32));
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg, Codec::Raw] {
        let told = Framing::of(codec, Some(record));
        for framing in
            [Framing::ByteStream, Framing::Length(1), Framing::Length(2), Framing::Length(4)].into_iter().chain(told)
        {
            for data in [data, unit] {
                let coded = look(codec, framing, data);
                assert!(coded.layer < 8 && (!coded.is_disposable || !data.is_empty()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARAMETERS_264: [&[u8]; 2] = [&[0x67, 0x42, 0, 0x1e], &[0x68, 0xce, 0x38]];

    fn framed(framing: Framing, units: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::new();
        for unit in units {
            match framing {
                Framing::ByteStream => data.extend([0, 0, 0, 1]),
                Framing::Length(bytes) => data.extend(&(unit.len() as u64).to_be_bytes()[8 - bytes..]),
            }
            data.extend(*unit);
        }
        data
    }

    const FRAMINGS: [Framing; 3] = [Framing::ByteStream, Framing::Length(4), Framing::Length(2)];

    #[test]
    fn an_h264_picture_is_disposable_when_none_of_its_slices_is_referred_to() {
        for framing in FRAMINGS {
            let is = |units: &[&[u8]]| look(Codec::H264, framing, &framed(framing, units)).is_disposable;
            assert!(is(&[&[0x09, 0xf0], &[0x01, 0x9a, 0x22]]), "a delimiter and a B slice");
            assert!(is(&[&[0x06, 0x05], &[0x01, 0x9a], &[0x01, 0x40]]));
            assert!(!is(&[&[0x41, 0x9a, 0x22]]), "a P slice");
            assert!(!is(&[&[0x41, 0x9a], &[0x01, 0x9a]]), "one field is referred to");
            assert!(!is(&[PARAMETERS_264[0], PARAMETERS_264[1], &[0x65, 0x88]]), "an IDR picture");
            assert!(!is(&PARAMETERS_264), "no picture at all");
            assert!(!is(&[&[0x81, 0x9a]]), "the forbidden bit");
        }
    }

    #[test]
    fn an_h265_picture_is_disposable_by_its_type() {
        let unit = |kind: u8, temporal_id: u8| [kind << 1, temporal_id + 1, 0xaa];
        for framing in FRAMINGS {
            let of = |kind, layer| look(Codec::H265, framing, &framed(framing, &[&unit(35, 0), &unit(kind, layer)]));
            for kind in [0, 2, 4, 6, 8] {
                assert_eq!((of(kind, 2).is_disposable, of(kind, 2).layer), (true, 2));
            }
            for kind in [1, 3, 5, 7, 9, 10, 12, 14, 16, 19, 20, 21] {
                assert!(!of(kind, 0).is_disposable, "type {kind}");
            }
            assert!(of(21, 0).is_clean_access && !of(19, 0).is_clean_access);
            assert!(of(8, 0).is_skipped_leading && of(9, 0).is_skipped_leading && !of(7, 0).is_skipped_leading);
        }
    }

    #[test]
    fn the_configuration_record_tells_the_framing() {
        let mut record = [0_u8; 23];
        (record[4], record[21]) = (0xff, 0xfd);
        assert_eq!(Framing::of(Codec::H264, Some(&record)), Some(Framing::Length(4)));
        assert_eq!(Framing::of(Codec::H265, Some(&record)), Some(Framing::Length(2)));
        assert_eq!(Framing::of(Codec::H265, Some(&record[..21])), None);
        assert_eq!(Framing::of(Codec::H264, None), Some(Framing::ByteStream));
    }

    fn any_framing() -> impl Strategy<Value = Framing> {
        prop_oneof![Just(Framing::ByteStream), (1..=4_usize).prop_map(Framing::Length)]
    }

    /// Few different bytes, so that start codes and lengths come about.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![3 => Just(0_u8), 2 => Just(1), 1 => any::<u8>()];
        prop::collection::vec(byte, 0..64)
    }

    proptest! {
        #[test]
        fn anything_can_be_looked_at(framing in any_framing(), unit in bytes()) {
            for codec in [Codec::H264, Codec::H265, Codec::Jpeg, Codec::Raw] {
                look(codec, framing, &unit);
            }
        }

        #[test]
        fn what_is_cut_off_within_lengths_is_not_disposable(cut in 1..20_usize) {
            let data = framed(Framing::Length(4), &[&[0x09, 0xf0], &[0x01; 20]]);
            prop_assert!(look(Codec::H264, Framing::Length(4), &data).is_disposable);
            prop_assert!(!look(Codec::H264, Framing::Length(4), &data[..data.len() - cut]).is_disposable);
        }

        #[test]
        fn start_codes_are_found_where_they_are(unit in bytes()) {
            let slow = unit.windows(3).position(|three| three == [0, 0, 1]);
            prop_assert_eq!(start_code(&unit), slow);
        }
    }
}

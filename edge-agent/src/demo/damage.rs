//! A bad link, or a camera that sends nonsense: RTP packets that arrive damaged.

use gstreamer as gst;
use gstreamer::prelude::*;

/// RFC 3550: the header stays whole, or the packet would not be taken for one of this stream.
const HEADER_BYTES: usize = 12;

/// Damages so many of a thousand packets that leave this pad: the same ones every time.
pub(super) fn damage_packets(pad: &gst::Pad, per_mille: u32) {
    let (mut state, kinds) = (0x9e37_79b9_7f4a_7c15_u64, gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST);
    let random = std::sync::Mutex::new(move || {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    pad.add_probe(kinds, move |_pad, info| {
        let mut random = random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut touch = |buffer: &mut gst::BufferRef| {
            if random() % 1000 < u64::from(per_mille) {
                damage(buffer, &mut *random);
            }
        };
        match &mut info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => touch(buffer.make_mut()),
            Some(gst::PadProbeData::BufferList(list)) => list.make_mut().foreach_mut(|mut buffer, _| {
                touch(buffer.make_mut());
                std::ops::ControlFlow::Continue(Some(buffer))
            }),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

fn damage(buffer: &mut gst::BufferRef, random: &mut impl FnMut() -> u64) {
    let payload = buffer.size().saturating_sub(HEADER_BYTES);
    if payload == 0 {
        return;
    }
    let mut place = || HEADER_BYTES + usize::try_from(random() % payload as u64).unwrap_or(0);
    let (cut, places) = (place(), [place(), place(), place(), place()]);
    if random().is_multiple_of(4) {
        buffer.set_size(cut.max(HEADER_BYTES + 1));
    } else if let Ok(mut bytes) = buffer.map_writable() {
        for place in places {
            bytes[place] = random() as u8;
        }
    }
}

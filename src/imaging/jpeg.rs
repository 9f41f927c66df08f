//! Whether a JPEG file is whole. Its decoder fills what is missing with grey and says nothing.

const START: u8 = 0xd8;
const END: u8 = 0xd9;

/// Whether `bytes` begin as a JPEG file does.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, START, 0xff])
}

/// Whether the first picture of a JPEG file goes on to its end marker. What comes after it does not
/// count: cameras add previews there, which have end markers of their own, as thumbnails have inside
/// of segments.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some((marker, after)) = next_marker(bytes, at) {
        match marker {
            END => return true,
            // Markers without a length, among them those of restarts.
            0x01 | START | 0xd0..=0xd7 => at = after,
            _ => match bytes.get(after..after + 2) {
                // A length counts itself; a smaller one is damage, which the decoder reports.
                Some(&[high, low]) => {
                    at = after + usize::from(u16::from_be_bytes([high, low])).max(2);
                }
                _ => return false,
            },
        }
    }
    false
}

/// The fewest bytes that a JPEG file of this size can have: each block of 8x8 pixels takes a bit at least.
pub(super) fn shortest(width: u32, height: u32) -> usize {
    let blocks = u64::from(width.div_ceil(8)) * u64::from(height.div_ceil(8));
    usize::try_from(blocks / 8).unwrap_or(usize::MAX)
}

/// The next marker from `at` on, and where it ends. A zero after 0xff says that the 0xff is data, and
/// further 0xff fill.
fn next_marker(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let mut at = at;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        match bytes.get(at + 1)? {
            0x00 => at += 2,
            0xff => at += 1,
            marker => return Some((*marker, at + 2)),
        }
    }
}

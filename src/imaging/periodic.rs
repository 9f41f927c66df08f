//! Ranges of rows and columns of a picture that repeats without end.

use std::ops::Range;

/// A range of indices into a list that repeats with this period, in pieces that lie inside the list.
pub(crate) fn segments(range: Range<isize>, period: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = range.start;
    std::iter::from_fn(move || {
        if next >= range.end {
            return None;
        }
        let start = next.rem_euclid(period as isize) as usize;
        let count = (period - start).min((range.end - next) as usize);
        next += count as isize;
        Some(start..start + count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_lie_inside_the_list() {
        let all = |range, period| segments(range, period).collect::<Vec<_>>();
        assert_eq!(all(-2..3, 5), [3..5, 0..3]);
        assert_eq!(all(1..9, 9), vec![1..9; 1]);
        assert_eq!(all(-1..5, 2), [1..2, 0..2, 0..2, 0..1]);
    }
}

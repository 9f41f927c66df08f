//! Overlap-add, the adjoint of padding: adds the gradients at padded positions to the samples that
//! padding copied there.

use pulp::Arch;
use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::sink::margin_index;

/// For each sample of an axis, the padded positions that hold a copy of it.
fn copies(sources: &[i32], length: usize) -> Vec<Vec<usize>> {
    let mut positions = vec![Vec::new(); length];
    for (position, &source) in sources.iter().enumerate() {
        if let Ok(source) = usize::try_from(source) {
            positions[source].push(position);
        }
    }
    positions
}

/// Folds `padded`, `[rows, columns, channels]`, into `output`, `[height, width, channels]`. Adds to the
/// content of `output` if `accumulates`.
pub(super) fn overlap_add(
    padded: &[f32],
    (rows, columns): (&[i32], &[i32]),
    (height, width): (usize, usize),
    channels: usize,
    epilogue: &Epilogue<'_>,
    accumulates: bool,
    output: &mut [f32],
) {
    let (from_rows, from_columns) = (copies(rows, height), copies(columns, width));
    let stride = columns.len() * channels;
    output
        .par_chunks_mut(width * channels)
        .enumerate()
        .with_min_len(4)
        .for_each(|(y, line)| {
            Arch::new().dispatch(|| {
                if !accumulates {
                    line.fill(0.0);
                }
                for (x, values) in line.chunks_mut(channels).enumerate() {
                    for row in &from_rows[y] {
                        for column in &from_columns[x] {
                            let start = row * stride + column * channels;
                            for (sum, value) in values.iter_mut().zip(&padded[start..]) {
                                *sum += value;
                            }
                        }
                    }
                }
            });
            epilogue.apply(y * width, channels, line);
        });
}

/// Adds the gradients at a margin, in the order of [`margin_index`], to the samples that padding copied
/// there. Applies the epilogue to the gradients in `margin` first.
pub(super) fn add_margin(
    margin: &mut [f32],
    (rows, columns): (&[i32], &[i32]),
    (height, width): (usize, usize),
    channels: usize,
    epilogue: &Epilogue<'_>,
    output: &mut [f32],
) {
    let padding = (rows.len() - height) / 2;
    for (y, &row) in rows.iter().enumerate() {
        // In the rows of the map, only both ends belong to the margin.
        let inside = (padding..height + padding).contains(&y);
        let skipped = if inside {
            padding..padding + width
        } else {
            0..0
        };
        for (x, &column) in columns
            .iter()
            .enumerate()
            .filter(|(x, _)| !skipped.contains(x))
        {
            let index = margin_index((y, x), (height, width), padding);
            let (Some(index), Ok(row), Ok(column)) =
                (index, usize::try_from(row), usize::try_from(column))
            else {
                continue;
            };
            let pixel = row * width + column;
            let values = &mut margin[index * channels..][..channels];
            epilogue.apply(pixel, channels, values);
            let target = &mut output[pixel * channels..][..channels];
            for (sum, value) in target.iter_mut().zip(&*values) {
                *sum += value;
            }
        }
    }
}

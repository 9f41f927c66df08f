//! The adjoint of padding: gradients of padded positions go back to the samples they showed.

use pulp::Arch;
use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::sink::margin_number;

/// For each sample of an axis, the padded positions that show it.
fn showing(sources: &[i32], length: usize) -> Vec<Vec<usize>> {
    let mut positions = vec![Vec::new(); length];
    for (position, &source) in sources.iter().enumerate() {
        if let Ok(source) = usize::try_from(source) {
            positions[source].push(position);
        }
    }
    positions
}

/// Sums `padded`, `[rows, columns, channels]`, into `output`, `[height, width, channels]`, on top
/// of what it holds if `adds`.
#[allow(clippy::too_many_arguments)]
pub(super) fn overlap_add(
    padded: &[f32],
    rows: &[i32],
    columns: &[i32],
    (height, width): (usize, usize),
    channels: usize,
    epilogue: &Epilogue<'_>,
    adds: bool,
    output: &mut [f32],
) {
    let (from_rows, from_columns) = (showing(rows, height), showing(columns, width));
    let stride = columns.len() * channels;
    output
        .par_chunks_mut(width * channels)
        .enumerate()
        .with_min_len(4)
        .for_each(|(y, line)| {
            Arch::new().dispatch(|| {
                if !adds {
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

/// Adds the gradients of a margin, numbered by [`margin_number`], to the samples that its positions
/// showed, where the ReLU passed them; `strip` is left gated.
pub(super) fn add_margin(
    strip: &mut [f32],
    (rows, columns): (&[i32], &[i32]),
    (height, width): (usize, usize),
    channels: usize,
    gate: &Epilogue<'_>,
    output: &mut [f32],
) {
    let margin = (rows.len() - height) / 2;
    for (y, &row) in rows.iter().enumerate() {
        // Between the rows above and below, only the two ends belong to the margin.
        let between = (margin..height + margin).contains(&y);
        let skipped = if between {
            margin..margin + width
        } else {
            0..0
        };
        for (x, &column) in columns
            .iter()
            .enumerate()
            .filter(|(x, _)| !skipped.contains(x))
        {
            let number = margin_number((y, x), (height, width), margin);
            let (Some(number), Ok(row), Ok(column)) =
                (number, usize::try_from(row), usize::try_from(column))
            else {
                continue;
            };
            let pixel = row * width + column;
            let values = &mut strip[number * channels..][..channels];
            gate.apply(pixel, channels, values);
            let target = &mut output[pixel * channels..][..channels];
            for (sum, value) in target.iter_mut().zip(&*values) {
                *sum += value;
            }
        }
    }
}

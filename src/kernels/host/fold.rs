//! The adjoint of padding: gradients of padded positions go back to the samples they showed.

use pulp::Arch;
use rayon::prelude::*;

use super::epilogue::Epilogue;

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

/// Sums `padded`, `[rows, columns, channels]`, into `output`, `[height, width, channels]`.
pub(super) fn fold(
    padded: &[f32],
    rows: &[i32],
    columns: &[i32],
    (height, width): (usize, usize),
    channels: usize,
    epilogue: &Epilogue<'_>,
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
                for (x, values) in line.chunks_mut(channels).enumerate() {
                    values.fill(0.0);
                    for row in &from_rows[y] {
                        for column in &from_columns[x] {
                            let start = row * stride + column * channels;
                            for (sum, value) in values.iter_mut().zip(&padded[start..]) {
                                *sum += value;
                            }
                        }
                    }
                    epilogue.apply(y * width + x, values);
                }
            });
        });
}

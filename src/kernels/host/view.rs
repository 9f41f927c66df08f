//! A feature map as a kernel reads it: padded by index, never by copying.

/// `[height, width, channels]` values seen through padded axes.
///
/// Position `(i, j)` of the padded map shows pixel `(rows[i], columns[j])`, or zeros where either
/// is [`ZERO`](crate::kernels::padding::ZERO).
pub(super) struct View<'a> {
    pub(super) data: &'a [f32],
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) rows: &'a [i32],
    pub(super) columns: &'a [i32],
}

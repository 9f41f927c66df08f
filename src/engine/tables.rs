//! Numbers of resampled filters and of their histograms, as the host and the kernels of GPUs have them.

/// Filters of a bank. They share the classes of positions.
pub(crate) const BANK: usize = 8;

/// Classes of positions for each bank of a guided picture.
pub(crate) const CLASSES: usize = 6;

/// Bins of a histogram, each a 2048th of the range of values. The error of a rank is at most the mass of one bin.
pub(crate) const BINS: usize = 2048;

/// Bins that the range of the values covers: a little less than all, so that the last one contains the largest
/// value.
pub(crate) const FILL: f32 = BINS as f32 * 0.9999;

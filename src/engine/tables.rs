//! Histograms of responses and tables of transport, as the host and the kernels of GPUs have them.

/// Bins of a histogram, each a 2048th of the range of values. The error of a rank is at most the mass of one bin.
pub(crate) const BINS: usize = 2048;

/// Bins that the range of the values covers: a little less than all, so that the last one contains the largest
/// value.
pub(crate) const FILL: f32 = BINS as f32 * 0.9999;

/// Words of a histogram: the counts, and the bits of the smallest and the largest value.
#[cfg(feature = "cube")]
pub(crate) const ENTRIES: usize = BINS + 2;

/// The place of the first edge in a table of transport. Before it come the smallest value, bins per unit of value, and
/// the standard deviation in whose units distances are measured.
#[cfg(feature = "cube")]
pub(crate) const FIRST_EDGE: usize = 3;

/// Numbers of a table of transport: at each edge between bins the transported value.
#[cfg(feature = "cube")]
pub(crate) const TABLE: usize = FIRST_EDGE + BINS + 1;

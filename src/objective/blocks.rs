//! Blocks of an image: which positions of each layer one has, and the crop of the image that they depend on.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::engine::Padding;
use crate::error::{Error, Result};
use crate::imaging::{Size, segments};
use crate::network::{Layer, LayerGeometry, Vgg};

/// The blocks of images of one size, for features at some layers.
pub(super) struct Blocks {
    pub(super) list: Vec<ImageBlock>,
}

/// A block of an image. Its positions at a layer are those of the pixels in `own`, whose borders are
/// multiples of the stride of every layer.
#[derive(Clone, Debug)]
pub(super) struct ImageBlock {
    rows: Span,
    columns: Span,
    /// Height and width of the image.
    size: [usize; 2],
}

/// A block along one axis, in pixels.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    own: Range<usize>,
    /// Whether the block has the last positions of the axis.
    last: bool,
    /// The pixels that the features depend on. They may lie beyond the border of an image that wraps.
    crop: Range<isize>,
}

impl Blocks {
    /// Blocks for features at `layers`, so that no crop has more than about `side` x `side` pixels. An axis
    /// of an image that wraps, and that is not a multiple of the strides, cannot be divided.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] if a block of the smallest size has a larger crop.
    pub(super) fn plan(vgg: &Vgg, layers: &[Layer], size: Size, side: usize) -> Result<Self> {
        let mut geometries = Vec::new();
        for layer in layers {
            geometries.push(vgg.architecture().geometry(*layer, vgg.padding())?);
        }
        let reach = Reach::of(&geometries);
        let wraps = vgg.padding() == Padding::Circular;
        let (mut whole_rows, mut whole_columns) = (false, false);
        for (layer, geometry) in layers.iter().zip(&geometries) {
            // Where a map is shorter than its share of the image, it does not wrap where the image does.
            let map = vgg.architecture().map_size(*layer, size, vgg.padding())?;
            whole_rows |= wraps && map.height * geometry.stride != size.height;
            whole_columns |= wraps && map.width * geometry.stride != size.width;
        }
        let rows = reach.spans(size.height, side, (wraps, whole_rows))?;
        let columns = reach.spans(size.width, side, (wraps, whole_columns))?;
        let block = |rows: &Span, columns: &Span| ImageBlock {
            rows: rows.clone(),
            columns: columns.clone(),
            size: [size.height, size.width],
        };
        let list = rows
            .iter()
            .flat_map(|rows| columns.iter().map(|columns| block(rows, columns)));
        Ok(Self {
            list: list.collect(),
        })
    }
}

/// How far the features at some layers reach.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reach {
    /// A multiple of all strides.
    stride: usize,
    /// Pixels before the first and after the last of a block that its features depend on; a multiple of
    /// `stride` before.
    before: usize,
    after: usize,
    /// The shortest image side that the layers can be computed from.
    smallest: usize,
}

impl Reach {
    fn of(geometries: &[LayerGeometry]) -> Self {
        // Strides are products of those of the layers below, so the largest is a multiple of all others.
        let stride = geometries.iter().map(|it| it.stride).max().unwrap_or(1);
        let before = geometries.iter().map(|it| it.overhang).max().unwrap_or(0);
        // The receptive field of the last position, one stride before the end of the block, ends at
        // `end - stride + receptive_field - overhang`.
        let after = geometries
            .iter()
            .map(|it| (it.receptive_field - it.overhang).saturating_sub(it.stride));
        Self {
            stride,
            before: before.next_multiple_of(stride),
            after: after.max().unwrap_or(0),
            smallest: geometries
                .iter()
                .map(|it| it.smallest_image)
                .max()
                .unwrap_or(1),
        }
    }

    /// The blocks of an axis of `length` pixels with crops of at most `side` pixels.
    fn spans(
        self,
        length: usize,
        side: usize,
        (wraps, undivided): (bool, bool),
    ) -> Result<Vec<Span>> {
        let whole = Span {
            own: 0..length,
            last: true,
            crop: 0..length as isize,
        };
        if length <= side || undivided {
            return Ok(vec![whole]);
        }
        let margins = self.before + self.after;
        let most = side.saturating_sub(margins) / self.stride * self.stride;
        if most == 0 {
            let least = margins + self.stride;
            return Err(Error::option(
                "the side of a block",
                side,
                format!("at least {least}, for features of these layers"),
            ));
        }
        let count = length.div_ceil(most);
        let step = length.div_ceil(count).next_multiple_of(self.stride);
        let mut starts: Vec<usize> = (0..length).step_by(step).collect();
        // A short rest may have no positions of its own: the block before takes it.
        let rest = starts.last().map_or(length, |last| length - last);
        if starts.len() > 1 && rest < self.stride.max(self.smallest) {
            starts.pop();
        }
        let span = |(number, start): (usize, &usize)| {
            let last = number + 1 == starts.len();
            let end = if last { length } else { start + step };
            let first = *start as isize - self.before as isize;
            let beyond = (end + self.after) as isize;
            Span {
                own: *start..end,
                last,
                crop: match wraps {
                    true => first..beyond,
                    false => first.max(0)..beyond.min(length as isize),
                },
            }
        };
        Ok(starts.iter().enumerate().map(span).collect())
    }
}

impl Span {
    /// The positions of the block at a layer with this stride and `length` positions, and the place of the
    /// first of them in the features of the crop.
    fn positions(&self, stride: usize, length: usize) -> (Range<usize>, usize) {
        let end = if self.last {
            length
        } else {
            self.own.end / stride
        };
        // Without padding a map has fewer positions than strides fit into the image.
        let end = end.min(length);
        let start = (self.own.start / stride).min(end);
        // Both are multiples of the stride.
        let before = (self.own.start as isize - self.crop.start) as usize;
        (start..end, before / stride)
    }

    /// The crop in pieces that lie inside the image.
    fn pieces(&self, length: usize) -> Vec<Range<usize>> {
        segments(self.crop.clone(), length).collect()
    }
}

/// Where the features of a block lie at one layer.
pub(super) struct Positions {
    /// Rows and columns in the features of the image.
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    /// The row and the column of the first of them in the features of the crop.
    pub(super) corner: [usize; 2],
}

impl ImageBlock {
    /// The positions at a layer with this stride, of features of height and width `size`.
    pub(super) fn positions(&self, stride: usize, size: [usize; 2]) -> Positions {
        let (rows, top) = self.rows.positions(stride, size[0]);
        let (columns, left) = self.columns.positions(stride, size[1]);
        Positions {
            rows,
            columns,
            corner: [top, left],
        }
    }

    /// The crop of an image `[1, C, H, W]`.
    pub(super) fn crop(&self, image: &Tensor<4>) -> Tensor<4> {
        let along = |image: Tensor<4>, axis: usize, pieces: Vec<Range<usize>>| {
            let parts = pieces
                .iter()
                .map(|piece| image.clone().narrow(axis, piece.start, piece.len()));
            Tensor::cat(parts.collect(), axis)
        };
        let rows = along(image.clone(), 2, self.rows.pieces(self.size[0]));
        along(rows, 3, self.columns.pieces(self.size[1]))
    }

    /// Adds the gradient at the crop to the gradient at the image.
    pub(super) fn add(&self, mut image: Tensor<4>, crop: &Tensor<4>) -> Tensor<4> {
        let channels = image.dims()[1];
        let mut top = 0;
        for rows in self.rows.pieces(self.size[0]) {
            let mut left = 0;
            for columns in self.columns.pieces(self.size[1]) {
                let ranges = [0..1, 0..channels, rows.clone(), columns.clone()];
                let part = crop.clone().narrow(2, top, rows.len());
                let part = part.narrow(3, left, columns.len());
                let sum = image.clone().slice(ranges.clone()) + part;
                image = image.slice_assign(ranges, sum);
                left += columns.len();
            }
            top += rows.len();
        }
        image
    }
}

//! Convolution 3x3 with stride 1 by Winograd's minimal filtering F(4x4, 3x3).
//!
//! An output tile of 4x4 pixels needs an input tile of 6x6; the matrices are in `engine/winograd.rs`.
//! Over all channels each of the 36 elements is a matrix product `[tiles, channels in] * [channels in,
//! channels out]`, so the work is 36 products for 144 multiplications of the direct form: four times
//! less.
//!
//! The gradient with respect to the input is the same kernel with each filter turned by 180
//! degrees and its channels exchanged.

mod transform;

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use self::transform::{TransformInput, TransformOutput};
use super::buffers::Buffers;
use super::epilogue::WORD;
use super::packed_gemm::{Left, Panels, multiply, step_rows};
use super::shared::Shared;
use super::sink::Sink;
use super::source::Source;
use crate::engine::winograd::{ELEMENTS, TILE, transform_filter};

/// Channels whose products are finished before the next ones are begun, where each thread works on
/// its own.
const GROUP: usize = 64;
/// Weights, before the transform, up to which each thread works on its own.
const FEW_WEIGHTS: usize = 9 * 128 * 256;
/// Floats of a thread's own block that stay in its core's cache beside the weights.
const OWN_BUDGET: usize = 320 * 1024;
/// Tiles whose products take about as long as reading the weights for a block.
const WEIGHTS_IN_TILES: usize = 14;
/// Floats of a block that all threads work on together.
const SHARED_BUDGET: usize = 2560 * 1024;
/// Floats between the rows of transformed tiles, and between the products of one element and
/// panel and the next, beyond their length: what is a power of two apart competes for the same
/// places of the cache, and all 36 elements of a tile are read together.
const PAD: usize = 16;

/// A set of 3x3 filters in transformed form.
pub(super) struct Winograd {
    channels_in: usize,
    channels_out: usize,
    /// A matrix `[channel in][channel out]` for each element.
    weights: Panels,
}

impl Winograd {
    /// Whether channels fill whole words.
    pub(super) fn suits(channels_in: usize, channels_out: usize) -> bool {
        channels_in.is_multiple_of(WORD) && channels_out.is_multiple_of(WORD)
    }

    /// Transforms filters; `filter(input, output)` yields the nine values of one, in rows.
    pub(super) fn new(
        channels_in: usize,
        channels_out: usize,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Self {
        let weights = Panels::pack(channels_in, channels_out, |input, output| {
            transform_filter(&filter(input, output))
        });
        Self {
            channels_in,
            channels_out,
            weights,
        }
    }

    /// Filters `source` into `sink`.
    pub(super) fn correlate(&self, source: &impl Source, sink: &impl Sink, buffers: &Buffers) {
        let (height, width, channels) = sink.size();
        source.check();
        assert_eq!(source.view().channels, self.channels_in);
        assert_eq!(channels, self.channels_out);
        let grid = Grid {
            across: width.div_ceil(TILE),
            tiles: height.div_ceil(TILE) * width.div_ceil(TILE),
        };
        let threads = rayon::current_num_threads();
        // Few weights stay near while many tiles pass: a thread then keeps everything else in its
        // own cache. Many weights are better read once, by threads that share the products.
        let few = 9 * self.channels_in * self.channels_out <= FEW_WEIGHTS;
        if few && grid.tiles >= threads * step_rows() {
            self.alone(source, sink, &grid, threads, buffers);
        } else {
            self.together(source, sink, &grid, threads, buffers);
        }
    }

    /// Floats from the products of one element and panel to the next.
    fn product(&self, tiles: usize) -> usize {
        tiles * self.weights.width() + PAD
    }

    /// Floats between rows of transformed tiles.
    fn stride(&self) -> usize {
        self.channels_in + PAD
    }

    /// Each thread takes blocks of tiles and does all that is to be done for them.
    fn alone(
        &self,
        source: &impl Source,
        sink: &impl Sink,
        grid: &Grid,
        threads: usize,
        buffers: &Buffers,
    ) {
        let group = GROUP.min(self.channels_out).div_ceil(self.weights.width());
        let per_tile = ELEMENTS * (self.stride() + group * self.weights.width());
        let most = (OWN_BUDGET / per_tile / step_rows()).max(1);
        // Of the blocks that fit, those done first: reading the weights for a block takes about as
        // long as the products of some tiles, and no thread should wait long for the others.
        let block = (1..=most)
            .map(|steps| steps * step_rows())
            .min_by_key(|block| {
                let rounds = grid.tiles.div_ceil(*block).div_ceil(threads);
                rounds * (block + WEIGHTS_IN_TILES)
            })
            .unwrap_or(1);
        (0..grid.tiles.div_ceil(block))
            .into_par_iter()
            .with_max_len(1)
            .for_each(|number| {
                let first = number * block;
                let tiles = first..grid.tiles.min(first + block);
                let transformed = ELEMENTS * tiles.len() * self.stride();
                let products = ELEMENTS * group * self.product(tiles.len());
                let mut scratch = buffers.take(transformed + products);
                let (transformed, products) = scratch.split_at_mut(transformed);
                self.transform(source, grid, &tiles, &tiles, &Shared::new(transformed));
                for panel in (0..self.weights.count()).step_by(group) {
                    let panels = panel..self.weights.count().min(panel + group);
                    Arch::new().dispatch(Products {
                        winograd: self,
                        transformed,
                        tiles: tiles.len(),
                        elements: 0..ELEMENTS,
                        panels: panels.clone(),
                        products,
                    });
                    self.finish(sink, grid, &tiles, &tiles, products, panels);
                }
                buffers.give(scratch);
            });
    }

    /// All threads transform a block, then share its products, then finish it.
    fn together(
        &self,
        source: &impl Source,
        sink: &impl Sink,
        grid: &Grid,
        threads: usize,
        buffers: &Buffers,
    ) {
        let panels = self.weights.count();
        let width = self.weights.width();
        let per_tile = ELEMENTS * (self.stride() + panels * width);
        let most = (SHARED_BUDGET / per_tile / step_rows()).max(1) * step_rows();
        for first in (0..grid.tiles).step_by(most) {
            let block = first..grid.tiles.min(first + most);
            let transformed = ELEMENTS * block.len() * self.stride();
            let products = ELEMENTS * panels * self.product(block.len());
            let mut scratch = buffers.take(transformed + products);
            let (transformed, products) = scratch.split_at_mut(transformed);
            // Small shares, so that a thread which was held up delays the others little.
            let share = block.len().div_ceil(4 * threads).max(2);
            let shares = block.len().div_ceil(share);
            let tiles = |number: usize| {
                let first = block.start + number * share;
                first..block.end.min(first + share)
            };
            let shared = Shared::new(transformed);
            (0..shares)
                .into_par_iter()
                .for_each(|number| self.transform(source, grid, &tiles(number), &block, &shared));
            products
                .par_chunks_mut(self.product(block.len()))
                .enumerate()
                .for_each(|(number, product)| {
                    let (element, panel) = (number / panels, number % panels);
                    Arch::new().dispatch(Products {
                        winograd: self,
                        transformed,
                        tiles: block.len(),
                        elements: element..element + 1,
                        panels: panel..panel + 1,
                        products: product,
                    });
                });
            (0..shares).into_par_iter().for_each(|number| {
                self.finish(sink, grid, &tiles(number), &block, products, 0..panels);
            });
            buffers.give(scratch);
        }
    }

    fn transform(
        &self,
        source: &impl Source,
        grid: &Grid,
        tiles: &Range<usize>,
        block: &Range<usize>,
        transformed: &Shared<'_, f32>,
    ) {
        Arch::new().dispatch(TransformInput {
            source,
            grid,
            first: tiles.start,
            tiles: tiles.len(),
            transformed,
            stride: self.stride(),
            block: (block.len(), block.start),
        });
    }

    fn finish(
        &self,
        sink: &impl Sink,
        grid: &Grid,
        tiles: &Range<usize>,
        block: &Range<usize>,
        products: &[f32],
        panels: Range<usize>,
    ) {
        let width = self.weights.width();
        let channels = panels.start * width..self.channels_out.min(panels.end * width);
        Arch::new().dispatch(TransformOutput {
            sink,
            grid,
            first: tiles.start,
            tiles: tiles.len(),
            products,
            panels: panels.len(),
            width,
            product: self.product(block.len()),
            words: channels.start / WORD..channels.end / WORD,
            block: (block.len(), block.start),
        });
    }
}

/// The output cut into tiles, counted in rows; those at the right and bottom edge may stick out.
struct Grid {
    across: usize,
    tiles: usize,
}

/// Products of transformed tiles and weights, of some elements and panels.
struct Products<'a> {
    winograd: &'a Winograd,
    /// `[element][tile][stride]`, all elements.
    transformed: &'a [f32],
    tiles: usize,
    elements: Range<usize>,
    panels: Range<usize>,
    /// `[element][panel][tile][width]` of those asked for.
    products: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            winograd, tiles, ..
        } = self;
        let stride = winograd.stride();
        let weights = &winograd.weights;
        let places = self
            .elements
            .flat_map(|element| self.panels.clone().map(move |panel| (element, panel)));
        let products = self.products.chunks_mut(winograd.product(tiles));
        for ((element, panel), product) in places.zip(products) {
            let transformed = &self.transformed[element * tiles * stride..][..tiles * stride];
            let left = Left::matrix(transformed, tiles, winograd.channels_in, stride);
            let width = weights.width();
            multiply(simd, &left, weights, (element, panel), product, width);
        }
    }
}

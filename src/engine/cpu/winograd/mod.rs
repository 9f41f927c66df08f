//! 3x3 convolution with stride 1 by Winograd's minimal filtering, F(4x4, 3x3) or F(6x6, 3x3).
//!
//! An output tile of 4x4 pixels needs an input tile of 6x6, one of 6x6 needs 8x8. Each of the 36 or 64
//! elements of a transformed tile takes one matrix product over the channels, `[tiles, channels in] *
//! [channels in, channels out]`. Of the nine multiplications that direct convolution takes for an output,
//! 2.25 or 1.78 are left.
//!
//! The input gradient uses the same kernel with the filters rotated by 180 degrees and the channels
//! transposed.

mod filtering;
mod filters;
mod transform;

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

pub(super) use self::filtering::Filtering;
pub(super) use self::filters::Filters;
use self::transform::{TransformInput, TransformOutput};
use super::buffers::Buffers;
use super::disjoint_slice::DisjointSlice;
use super::epilogue::WORD;
use super::packed_gemm::{LeftOperand, microkernel_rows, multiply};
use super::panels::Panels;
use super::sink::Sink;
use super::source::Source;

/// Output channels that a thread computes at once in a private block.
const GROUP: usize = 64;
/// The most filters whose weights threads read for private blocks.
const FEW_FILTERS: usize = 128 * 256;
/// Floats in a private block that fit into a core's cache beside the weights.
const PRIVATE_BUDGET: usize = 320 * 1024;
/// The cost of reading the weights for a block, in tiles whose products take as long.
const WEIGHTS_IN_TILES: usize = 14;
/// Floats in a block that all threads share, at most. Much larger blocks lose the cache that they share.
const SHARED_BUDGET: usize = 3072 * 1024;
/// Padding floats after each row of transformed tiles, and after the products of each element and
/// panel. Without it the elements of a tile, which are read together, would lie powers of two
/// apart and compete for the same cache sets.
const PAD: usize = 16;

/// Transformed 3x3 filters.
struct Winograd<F> {
    filtering: PhantomData<F>,
    channels_in: usize,
    channels_out: usize,
    /// One matrix `[channel in][channel out]` for each element.
    weights: Panels,
}

impl<F: Filtering> Winograd<F> {
    /// Transforms filters. `filter(input, output)` returns the filter of these channels, row by row.
    fn new(
        channels_in: usize,
        channels_out: usize,
        filter: impl Fn(usize, usize) -> [f32; 9] + Sync,
    ) -> Self {
        Self {
            filtering: PhantomData,
            channels_in,
            channels_out,
            weights: F::pack(channels_in, channels_out, filter),
        }
    }

    /// Correlates `source` with the filters and stores the result in `sink`.
    fn correlate(&self, source: &impl Source, sink: &impl Sink, buffers: &Buffers) {
        let (height, width, channels) = sink.size();
        source.check();
        assert_eq!(source.view().channels, self.channels_in);
        assert_eq!(channels, self.channels_out);
        let grid = Grid::new::<F>(height, width);
        let threads = rayon::current_num_threads();
        // Few weights stay in the shared cache, so each thread keeps a private block of tiles in
        // its own cache. Many weights are read once for a large block whose products all threads
        // share.
        let few = self.channels_in * self.channels_out <= FEW_FILTERS;
        if few && grid.tiles >= threads * microkernel_rows() {
            self.correlate_private_blocks(source, sink, &grid, threads, buffers);
        } else {
            self.correlate_shared_blocks(source, sink, &grid, threads, buffers);
        }
    }

    /// The stride between the products of one element and panel and the next.
    fn product_stride(&self, tiles: usize) -> usize {
        tiles * self.weights.width() + PAD
    }

    /// The stride between transformed tiles.
    fn tile_stride(&self) -> usize {
        self.channels_in + PAD
    }

    /// Each thread computes blocks of tiles: transform, products and output transform.
    fn correlate_private_blocks(
        &self,
        source: &impl Source,
        sink: &impl Sink,
        grid: &Grid,
        threads: usize,
        buffers: &Buffers,
    ) {
        let group = GROUP.min(self.channels_out).div_ceil(self.weights.width());
        let per_tile = F::ELEMENTS * (self.tile_stride() + group * self.weights.width());
        let most = (PRIVATE_BUDGET / per_tile / microkernel_rows()).max(1);
        // The block size with the shortest estimated time: rounds of blocks, times the tiles of a
        // block plus the cost of reading the weights.
        let block = (1..=most)
            .map(|calls| calls * microkernel_rows())
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
                let transformed = F::ELEMENTS * tiles.len() * self.tile_stride();
                let products = F::ELEMENTS * group * self.product_stride(tiles.len());
                let mut scratch = buffers.acquire_at_least(transformed + products);
                let (transformed, rest) = scratch.split_at_mut(transformed);
                let products = &mut rest[..products];
                self.transform(
                    source,
                    grid,
                    &tiles,
                    &tiles,
                    &DisjointSlice::new(transformed),
                );
                for panel in (0..self.weights.count()).step_by(group) {
                    let panels = panel..self.weights.count().min(panel + group);
                    Arch::new().dispatch(Products {
                        winograd: self,
                        transformed,
                        tiles: tiles.len(),
                        elements: 0..F::ELEMENTS,
                        panels: panels.clone(),
                        products,
                    });
                    self.finish(sink, grid, &tiles, &tiles, products, panels);
                }
                buffers.give_back(scratch);
            });
    }

    /// All threads share a block: its transform, then its products, then its output transform.
    fn correlate_shared_blocks(
        &self,
        source: &impl Source,
        sink: &impl Sink,
        grid: &Grid,
        threads: usize,
        buffers: &Buffers,
    ) {
        let panels = self.weights.count();
        let width = self.weights.width();
        let per_tile = F::ELEMENTS * (self.tile_stride() + panels * width);
        let calls = (SHARED_BUDGET / per_tile / microkernel_rows()).max(1);
        // Blocks of about the same size: each reads all weights, for a small one as for a large one.
        let blocks = grid.tiles.div_ceil(calls * microkernel_rows());
        let size = grid
            .tiles
            .div_ceil(blocks)
            .next_multiple_of(microkernel_rows());
        for first in (0..grid.tiles).step_by(size) {
            let block = first..grid.tiles.min(first + size);
            let transformed = F::ELEMENTS * block.len() * self.tile_stride();
            let products = F::ELEMENTS * panels * self.product_stride(block.len());
            let mut scratch = buffers.acquire_at_least(transformed + products);
            let (transformed, rest) = scratch.split_at_mut(transformed);
            let products = &mut rest[..products];
            // Small shares, so that a slow thread does not delay the others for long.
            let share = block.len().div_ceil(4 * threads).max(2);
            let shares = block.len().div_ceil(share);
            let tiles = |number: usize| {
                let first = block.start + number * share;
                first..block.end.min(first + share)
            };
            let slice = DisjointSlice::new(transformed);
            (0..shares)
                .into_par_iter()
                .for_each(|number| self.transform(source, grid, &tiles(number), &block, &slice));
            products
                .par_chunks_mut(self.product_stride(block.len()))
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
            buffers.give_back(scratch);
        }
    }

    /// Transforms the input tiles `tiles` of a block.
    fn transform(
        &self,
        source: &impl Source,
        grid: &Grid,
        tiles: &Range<usize>,
        block: &Range<usize>,
        transformed: &DisjointSlice<'_, f32>,
    ) {
        Arch::new().dispatch(TransformInput {
            filtering: PhantomData::<F>,
            source,
            grid,
            first: tiles.start,
            tiles: tiles.len(),
            transformed,
            stride: self.tile_stride(),
            block: (block.len(), block.start),
        });
    }

    /// Transforms the products of `panels` to outputs, for the tiles `tiles` of a block.
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
            filtering: PhantomData::<F>,
            sink,
            grid,
            first: tiles.start,
            tiles: tiles.len(),
            products,
            panels: panels.len(),
            width,
            product_stride: self.product_stride(block.len()),
            words: channels.start / WORD..channels.end / WORD,
            block: (block.len(), block.start),
        });
    }
}

/// The tiles of the output, in row-major order. Tiles at the right and bottom edges may extend
/// beyond it.
struct Grid {
    /// Tiles in a row.
    across: usize,
    /// All tiles.
    tiles: usize,
}

impl Grid {
    fn new<F: Filtering>(height: usize, width: usize) -> Self {
        let across = width.div_ceil(F::TILE);
        Self {
            across,
            tiles: across * height.div_ceil(F::TILE),
        }
    }
}

/// The products of transformed tiles and weights, for ranges of elements and panels.
struct Products<'a, F> {
    winograd: &'a Winograd<F>,
    /// `[element][tile][tile stride]`, all elements.
    transformed: &'a [f32],
    tiles: usize,
    elements: Range<usize>,
    panels: Range<usize>,
    /// `[element][panel][tile][width]`, for these elements and panels.
    products: &'a mut [f32],
}

impl<F: Filtering> WithSimd for Products<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            winograd, tiles, ..
        } = self;
        let stride = winograd.tile_stride();
        let weights = &winograd.weights;
        let pairs = self
            .elements
            .flat_map(|element| self.panels.clone().map(move |panel| (element, panel)));
        let products = self.products.chunks_mut(winograd.product_stride(tiles));
        for ((element, panel), product) in pairs.zip(products) {
            let transformed = &self.transformed[element * tiles * stride..][..tiles * stride];
            let left = LeftOperand::matrix(transformed, tiles, winograd.channels_in, stride);
            let width = weights.width();
            multiply(simd, &left, weights, (element, panel), product, width);
        }
    }
}

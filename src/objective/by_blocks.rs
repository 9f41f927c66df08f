//! Evaluation of the terms of features block by block, in bounded memory.
//!
//! Statistics of the whole image are gathered in a first pass over the blocks. In a second pass each block
//! has the gradient at its own positions, zeros around them, and a backward pass to its crop of the image.
//! (Galerne, Gonthier, Leclaire and Raad, "Scaling Painting Style Transfer", Computer Graphics Forum 2024,
//! do so for moments of VGG features.)

use burn::tensor::Tensor;

use super::Term;
use super::blocks::{Blocks, ImageBlock};
use crate::engine::FeatureMap;
use crate::error::Result;
use crate::imaging::Size;
use crate::loss::{Block, ByBlocks, Gradient, Observation, Place};
use crate::network::{Layer, LayerTap, Vgg};

/// A term of features that is evaluated block by block.
struct Part<'a> {
    index: usize,
    layer: Layer,
    weight: f64,
    loss: Box<dyn ByBlocks + 'a>,
    /// Whether it takes part in the present round.
    active: bool,
}

/// Values that losses may keep between the passes, for each pixel of the crop of a block: four for each value of
/// the first feature map.
const KEPT_PER_PIXEL: usize = 256;

/// What the side of blocks is multiplied by where losses keep values. A pixel of a crop takes 500 bytes
/// (`run/memory.rs`), the values take 1024 more, and what they are computed in about 1000.
const SIDE_BESIDE_KEPT: f64 = 0.45;

/// Blocks are not made smaller for that.
const SMALLEST_SIDE: usize = 256;

/// The terms of one octave, and the blocks of its image.
pub(super) struct OctaveByBlocks<'a> {
    vgg: &'a Vgg,
    parts: Vec<Part<'a>>,
    taps: Vec<LayerTap>,
    blocks: Blocks,
}

impl<'a> OctaveByBlocks<'a> {
    /// `terms` are given by index, layer, term and weight. `None` if a crop of `side` x `side` is as large as
    /// the image, or if a loss needs the whole map.
    pub(super) fn new(
        vgg: &'a Vgg,
        terms: &[(usize, Layer, &'a Term, f64)],
        size: Size,
        side: usize,
    ) -> Result<Option<Self>> {
        if size.width.max(size.height) <= side {
            return Ok(None);
        }
        let mut parts = Vec::new();
        let mut taps: Vec<LayerTap> = Vec::new();
        for (index, layer, term, weight) in terms {
            // A fully connected layer has an input of one size.
            let connected = matches!(layer, Layer::FullyConnected { .. });
            let Some(loss) = term.loss.by_blocks().filter(|_| !connected) else {
                return Ok(None);
            };
            parts.push(Part {
                index: *index,
                layer: *layer,
                weight: *weight,
                loss,
                active: true,
            });
            if taps.iter().all(|tap| tap.layer != *layer) {
                taps.push(LayerTap::returned(*layer));
            }
        }
        let side = share_memory(&mut parts, side);
        let layers: Vec<Layer> = taps.iter().map(|tap| tap.layer).collect();
        let blocks = Blocks::plan(vgg, &layers, size, side)?;
        let mut octave = Self {
            vgg,
            parts,
            taps,
            blocks,
        };
        octave.drop_empty_blocks(size)?;
        Ok((octave.blocks.list.len() > 1).then_some(octave))
    }

    /// Drops blocks that have no positions at any layer: without padding the last one may have none.
    fn drop_empty_blocks(&mut self, size: Size) -> Result<()> {
        let grids = self.taps.iter().map(|tap| grid(self.vgg, tap.layer, size));
        let grids: Vec<(usize, [usize; 2])> = grids.collect::<Result<_>>()?;
        self.blocks.list.retain(|block| {
            grids.iter().any(|(stride, whole)| {
                let positions = block.positions(*stride, *whole);
                !positions.rows.is_empty() && !positions.columns.is_empty()
            })
        });
        Ok(())
    }

    /// Writes the values to `values`, and returns the gradient at the image.
    pub(super) fn evaluate(
        mut self,
        image: &Tensor<4>,
        values: &mut [Option<Tensor<1>>],
    ) -> Result<Tensor<4>> {
        let [_, _, height, width] = image.dims();
        let size = Size::new(width, height);
        let mut gradient = image.zeros_like();
        while self.parts.iter().any(|part| part.active) {
            self.observe(image, size)?;
            for part in self.parts.iter_mut().filter(|part| part.active) {
                let value = part.loss.finish(part.weight)?;
                let before = values[part.index].take();
                values[part.index] = Some(match before {
                    Some(before) => before + value,
                    None => value,
                });
            }
            for block in &self.blocks.list {
                let crop = self.crop_gradient(block, size, block.crop(image))?;
                gradient = block.add(gradient, &crop);
            }
            for part in &mut self.parts {
                part.active = part.active && part.loss.goes_on();
            }
            let active = self.parts.iter().filter(|part| part.active);
            let layers: Vec<Layer> = active.map(|part| part.layer).collect();
            self.taps.retain(|tap| layers.contains(&tap.layer));
            self.drop_empty_blocks(size)?;
        }
        Ok(gradient)
    }

    /// The first pass of a round.
    fn observe(&mut self, image: &Tensor<4>, size: Size) -> Result<()> {
        for block in &self.blocks.list {
            let maps = self.vgg.feature_maps(block.crop(image), &self.taps)?;
            for (layer, map) in maps {
                let Some(own) = own(self.vgg, block, size, (layer, map))? else {
                    continue;
                };
                let mut observation = Observation::from(own.map);
                let parts = self.parts.iter_mut();
                for part in parts.filter(|part| part.active && part.layer == layer) {
                    part.loss.observe(&own.block, &mut observation)?;
                }
            }
        }
        Ok(())
    }

    /// The gradient at the crop of a block.
    fn crop_gradient(&self, block: &ImageBlock, size: Size, crop: Tensor<4>) -> Result<Tensor<4>> {
        let (mut features, trace) = self.vgg.forward_maps(crop, &self.taps)?;
        self.vgg.backward_from(&trace, |layer| {
            let Some((_, map)) = features.pop_if(|(at, _)| *at == layer) else {
                return Ok(None);
            };
            let [_, _, height, width] = map.dims();
            let Some(own) = own(self.vgg, block, size, (layer, map))? else {
                return Ok(None);
            };
            let mut observation = Observation::from(own.map);
            let mut gradient = Gradient::default();
            let parts = self.parts.iter();
            for part in parts.filter(|part| part.active && part.layer == layer) {
                gradient = gradient.plus(part.loss.gradient(&own.block, &mut observation)?);
            }
            let gradient = gradient.evaluate(observation)?;
            gradient.embedded([height, width], own.corner).map(Some)
        })
    }
}

/// Shares the memory of blocks with what losses keep, and returns the side of blocks that is left.
fn share_memory(parts: &mut [Part<'_>], side: usize) -> usize {
    let mut keeping = Vec::new();
    for part in parts {
        if part.loss.keep_at_most(usize::MAX) {
            keeping.push(part);
        }
    }
    if keeping.is_empty() {
        return side;
    }
    let less = (side as f64 * SIDE_BESIDE_KEPT) as usize;
    let side = less.max(SMALLEST_SIDE.min(side));
    let share = KEPT_PER_PIXEL * side * side / keeping.len();
    for part in keeping {
        part.loss.keep_at_most(share);
    }
    side
}

/// The features of a block at its own positions, of a map of its crop. `None` if it has no positions at
/// this layer.
fn own(
    vgg: &Vgg,
    block: &ImageBlock,
    size: Size,
    (layer, map): (Layer, FeatureMap),
) -> Result<Option<Own>> {
    let (stride, whole) = grid(vgg, layer, size)?;
    let positions = block.positions(stride, whole);
    let [top, left] = positions.corner;
    let rows = top..top + positions.rows.len();
    let columns = left..left + positions.columns.len();
    if rows.is_empty() || columns.is_empty() {
        return Ok(None);
    }
    Ok(Some(Own {
        map: map.crop(rows, columns),
        block: Block {
            size: whole,
            place: Place::Rectangle {
                rows: positions.rows,
                columns: positions.columns,
            },
        },
        corner: positions.corner,
    }))
}

/// The stride of a layer, and height and width of its features of an image.
fn grid(vgg: &Vgg, layer: Layer, size: Size) -> Result<(usize, [usize; 2])> {
    let (architecture, padding) = (vgg.architecture(), vgg.padding());
    let stride = architecture.geometry(layer, padding)?.stride;
    let whole = architecture.map_size(layer, size, padding)?;
    Ok((stride, [whole.height, whole.width]))
}

/// The features of an image at a layer, computed in blocks of no more than `side` x `side` pixels if it is
/// larger.
pub(super) fn features_at(
    vgg: &Vgg,
    image: Tensor<4>,
    layer: Layer,
    side: usize,
) -> Result<Tensor<4>> {
    let [_, _, height, width] = image.dims();
    let size = Size::new(width, height);
    let connected = matches!(layer, Layer::FullyConnected { .. });
    if connected || width.max(height) <= side {
        return vgg.features_at(image, layer);
    }
    let geometry = vgg.architecture().geometry(layer, vgg.padding())?;
    let whole = vgg.architecture().map_size(layer, size, vgg.padding())?;
    let shape = [1, whole.height, whole.width, geometry.channels];
    let mut features = Tensor::<4>::zeros(shape, (&image.device(), image.dtype()));
    for block in &Blocks::plan(vgg, &[layer], size, side)?.list {
        let map = vgg.feature_map(block.crop(&image), layer)?;
        let own = own(vgg, block, size, (layer, map))?;
        if let Some((map, Place::Rectangle { rows, columns })) =
            own.map(|own| (own.map, own.block.place))
        {
            let ranges = [0..1, rows, columns, 0..geometry.channels];
            let values = map.into_tensor().permute([0, 2, 3, 1]);
            features = features.slice_assign(ranges, values);
        }
    }
    Ok(features.permute([0, 3, 1, 2]))
}

/// The features of a block at its own positions, and where these are.
struct Own {
    map: FeatureMap,
    block: Block,
    /// The first of them in the features of the crop.
    corner: [usize; 2],
}

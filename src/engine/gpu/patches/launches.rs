//! The launches of the kernels on CubeCL's backend.

use burn::backend::DType;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::zeros_client;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernels::{
    self, CONTOUR, ContourFactorsLaunch, ENTRIES, FILTERS, GuideSizesLaunch, LANES, SizesLaunch,
    TABLE, UNITS,
};
use super::operation::{Classes, Compared, ContourPart, Geometry, GuideGeometry, Patches, parts};
use crate::engine::gpu::launches::{address_type, empty};

/// Most workgroups for all positions of a picture.
const MOST_CUBES: usize = 4096;

/// Positions that a unit labels: those of the words of one block of the stream.
const LABELLED_AT_ONCE: usize = 16;

fn units() -> CubeDim {
    CubeDim::new_1d(UNITS as u32)
}

fn sizes(geometry: &Geometry) -> SizesLaunch {
    let [rows, columns] = geometry.positions();
    SizesLaunch::new(
        geometry.height as u32,
        geometry.width as u32,
        rows as u32,
        columns as u32,
    )
}

/// A workgroup for each block of the picture, and `deep` of each.
fn cubes(geometry: &Geometry, deep: usize) -> CubeCount {
    let [down, across] = geometry.blocks();
    CubeCount::Static(across as u32, down as u32, deep as u32)
}

/// The filters and the positions of responses, and the parts that positions are shared out in.
fn shares(responses: &CubeTensor) -> [usize; 3] {
    let [filters, rows, columns] = responses.meta.shape().dims();
    [filters, rows * columns, parts(rows * columns)]
}

/// Sums of responses and of their squares, and what both are counted from, `[filters, parts, 3]`.
fn sums(responses: &CubeTensor) -> CubeTensor {
    let [filters, positions, parts] = shares(responses);
    let output = empty(responses, [filters, parts, 3], DType::F32);
    // SAFETY: units read responses within the positions. Each workgroup writes its own three values.
    #[allow(unsafe_code)]
    unsafe {
        kernels::sums::launch_unchecked(
            &responses.client.clone(),
            CubeCount::Static(parts as u32, filters as u32, 1),
            units(),
            address_type(&[responses, &output]),
            responses.clone().into_tensor_arg(),
            output.clone().into_tensor_arg(),
            positions,
        );
    }
    output
}

impl Patches for CubeBackend {
    fn filter_responses(
        image: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let (image, weights) = (into_contiguous(image), into_contiguous(weights));
        let client = image.client.clone();
        let output = empty(&image, geometry.responses(), DType::F32);
        let addresses = address_type(&[&image, &weights, &output]);
        // SAFETY: rows and columns of the image are taken modulo its size. Units write responses at their own positions,
        // if they lie inside. There is a layer of workgroups for each group of filters.
        #[allow(unsafe_code)]
        unsafe {
            kernels::filter_responses::launch_unchecked(
                &client,
                cubes(&geometry, geometry.filters / FILTERS),
                units(),
                addresses,
                LANES,
                image.into_tensor_arg(),
                weights.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                sizes(&geometry),
                geometry.channels,
                geometry.side,
            );
        }
        output
    }

    fn position_classes(
        guide: FloatTensor<Self>,
        splits: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        geometry: Geometry,
        guide_geometry: GuideGeometry,
    ) -> FloatTensor<Self> {
        let [guide, splits, mask] = [guide, splits, mask].map(into_contiguous);
        let client = guide.client.clone();
        let GuideGeometry {
            channels,
            height,
            width,
            step,
            banks,
            labelling,
        } = guide_geometry;
        let output = empty(&guide, geometry.labels(banks), DType::F32);
        let [rows, columns] = geometry.positions();
        // The first position's word may be anywhere in its block.
        let blocks = (rows * columns).div_ceil(LABELLED_AT_ONCE) + 1;
        let cubes = blocks.div_ceil(UNITS).clamp(1, MOST_CUBES);
        // SAFETY: units write the classes of their own positions, if they lie inside. Rows and columns of the guide and the
        // mask are taken modulo the picture's size; they are read where there are such.
        #[allow(unsafe_code)]
        unsafe {
            kernels::classify::launch_unchecked(
                &client,
                CubeCount::Static(cubes as u32, banks as u32, 1),
                units(),
                address_type(&[&guide, &splits, &mask, &output]),
                guide.into_tensor_arg(),
                splits.into_tensor_arg(),
                mask.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                sizes(&geometry),
                GuideSizesLaunch::new(
                    height as u32,
                    width as u32,
                    step as u32,
                    (geometry.side / 2) as u32,
                ),
                blocks as u32,
                channels,
                labelling,
            );
        }
        output
    }

    fn hide_responses(
        responses: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let (responses, mask) = (into_contiguous(responses), into_contiguous(mask));
        let client = responses.client.clone();
        let [filters, positions, _] = shares(&responses);
        let output = empty(&responses, responses.meta.shape().clone(), DType::F32);
        let cubes = positions.div_ceil(UNITS).clamp(1, MOST_CUBES);
        // SAFETY: units read and write responses within the positions, and the mask modulo the picture's size.
        #[allow(unsafe_code)]
        unsafe {
            kernels::hide::launch_unchecked(
                &client,
                CubeCount::Static(cubes as u32, 1, 1),
                units(),
                address_type(&[&responses, &mask, &output]),
                responses.into_tensor_arg(),
                mask.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                sizes(&geometry),
                geometry.side / 2,
                filters,
            );
        }
        output
    }

    fn response_ranges(
        responses: FloatTensor<Self>,
        labels: FloatTensor<Self>,
        classes: Classes,
    ) -> FloatTensor<Self> {
        let (responses, labels) = (into_contiguous(responses), into_contiguous(labels));
        let client = responses.client.clone();
        let [filters, positions, parts] = shares(&responses);
        let output = empty(&responses, [filters, classes.count, parts, 2], DType::F32);
        // SAFETY: units read responses and labels within the positions, and labels only where there are several classes. Each
        // workgroup writes its own two values for each class.
        #[allow(unsafe_code)]
        unsafe {
            kernels::ranges::launch_unchecked(
                &client,
                CubeCount::Static(parts as u32, filters as u32, 1),
                units(),
                address_type(&[&responses, &labels, &output]),
                responses.into_tensor_arg(),
                labels.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                positions,
                classes.first_bank,
                classes.count,
            );
        }
        output
    }

    fn response_histograms(
        responses: FloatTensor<Self>,
        labels: FloatTensor<Self>,
        ranges: FloatTensor<Self>,
        classes: Classes,
    ) -> IntTensor<Self> {
        let [responses, labels, ranges] = [responses, labels, ranges].map(into_contiguous);
        let (client, device) = (responses.client.clone(), responses.device.clone());
        let [filters, positions, parts] = shares(&responses);
        let [_, _, all_parts, _] = ranges.meta.shape().dims();
        let shape = [filters, classes.count, ENTRIES];
        let counts = zeros_client(client.clone(), device, shape.into(), DType::U32);
        // SAFETY: as above for reads; the bin of any value is clamped to those of its row, which is written by atomic
        // operations alone.
        #[allow(unsafe_code)]
        unsafe {
            kernels::count_responses::launch_unchecked(
                &client,
                CubeCount::Static(parts as u32, filters as u32, classes.count as u32),
                units(),
                address_type(&[&responses, &labels, &ranges, &counts]),
                responses.into_tensor_arg(),
                labels.into_tensor_arg(),
                ranges.into_tensor_arg(),
                counts.clone().into_tensor_arg(),
                positions,
                all_parts,
                classes.first_bank,
                classes.count,
            );
        }
        counts
    }

    fn transport_tables(
        counts: IntTensor<Self>,
        others: IntTensor<Self>,
        shares: FloatTensor<Self>,
        classes: Classes,
    ) -> FloatTensor<Self> {
        let [counts, others, shares] = [counts, others, shares].map(into_contiguous);
        let client = counts.client.clone();
        let [filters, _, _] = counts.meta.shape().dims();
        let [exemplars, _, _, _] = others.meta.shape().dims();
        let output = empty(&shares, [filters, classes.count, TABLE], DType::F32);
        // SAFETY: each workgroup reads the rows of its filter, and writes the table of its class and filter. Each exemplar has
        // a share.
        #[allow(unsafe_code)]
        unsafe {
            kernels::tables::launch_unchecked(
                &client,
                CubeCount::Static(classes.count as u32, filters as u32, 1),
                units(),
                address_type(&[&counts, &others, &shares, &output]),
                counts.into_tensor_arg(),
                others.into_tensor_arg(),
                shares.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                exemplars,
                classes.soft,
                classes.count,
                classes.inside,
            );
        }
        output
    }

    fn contour_tables(
        responses: FloatTensor<Self>,
        count: usize,
        part: ContourPart,
    ) -> FloatTensor<Self> {
        let responses = into_contiguous(responses);
        let client = responses.client.clone();
        let [filters, _, parts] = shares(&responses);
        let output = empty(&responses, [filters, CONTOUR], DType::F32);
        let sums = sums(&responses);
        let (of_content, weight, factor, share) = match part {
            ContourPart::Content { factor, share } => (true, 1.0, factor, share),
            ContourPart::Style(weight) => (false, weight, 0.0, 0.0),
        };
        // SAFETY: a workgroup has more units than there are filters, and each reads and writes the rows of its filter.
        #[allow(unsafe_code)]
        unsafe {
            kernels::contour_tables::launch_unchecked(
                &client,
                CubeCount::Static(1, 1, 1),
                units(),
                address_type(&[&sums, &output]),
                sums.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                ContourFactorsLaunch::new(count as f32, parts as u32, weight, factor, share),
                filters,
                of_content,
            );
        }
        output
    }

    fn response_gradient(
        responses: FloatTensor<Self>,
        others: FloatTensor<Self>,
        tables: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
        compared: Compared,
        classes: Classes,
    ) -> FloatTensor<Self> {
        let (responses, others) = (into_contiguous(responses), into_contiguous(others));
        let (tables, weights) = (into_contiguous(tables), into_contiguous(weights));
        let client = responses.client.clone();
        let output = empty(&responses, geometry.gradient(), DType::F32);
        let addresses = address_type(&[&responses, &others, &tables, &weights, &output]);
        // SAFETY: units read responses, classes and the content's responses at positions inside, or repeated ones, and a
        // table between its first and last edge. They write their own pixels, if they lie inside, and each workgroup its
        // own sum.
        #[allow(unsafe_code)]
        unsafe {
            kernels::response_gradient::launch_unchecked(
                &client,
                cubes(&geometry, 1),
                units(),
                addresses,
                LANES,
                responses.into_tensor_arg(),
                others.into_tensor_arg(),
                tables.into_tensor_arg(),
                weights.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                sizes(&geometry),
                geometry.filters,
                classes.first_bank,
                compared,
                classes.count,
                geometry.channels,
                geometry.side,
                geometry.wraps,
            );
        }
        output
    }
}

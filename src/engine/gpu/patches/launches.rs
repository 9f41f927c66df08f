//! The launches of the kernels on CubeCL's backend.

use burn::backend::DType;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::zeros_client;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernels::{self, FILTERS, LANES, SizesLaunch, UNITS};
use super::operation::{Geometry, Patches};
use crate::engine::gpu::launches::{address_type, empty};
use crate::engine::tables::ENTRIES;

/// Positions that are worth a workgroup of their own, and the most workgroups for the responses to a filter.
const POSITIONS: usize = 4096;
const MOST_PARTS: usize = 16;

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

/// Adds the histograms of responses to rows of `counts`, from `first_row` on.
fn count(responses: &CubeTensor, counts: &CubeTensor, first_row: usize) {
    let client = responses.client.clone();
    let [filters, rows, columns] = responses.meta.shape().dims();
    let positions = rows * columns;
    let parts = positions.div_ceil(POSITIONS).clamp(1, MOST_PARTS);
    let cubes = || CubeCount::Static(parts as u32, filters as u32, 1);
    let ranges = empty(responses, [filters, parts, 2], DType::F32);
    // SAFETY: units read responses within the positions. Each workgroup writes its own two values of `ranges`.
    #[allow(unsafe_code)]
    unsafe {
        kernels::ranges::launch_unchecked(
            &client,
            cubes(),
            units(),
            address_type(&[responses, &ranges]),
            responses.clone().into_tensor_arg(),
            ranges.clone().into_tensor_arg(),
            positions,
        );
    }
    // SAFETY: as above for reads; the bin of any value is clamped to those of its row, which is written by atomic
    // operations alone.
    #[allow(unsafe_code)]
    unsafe {
        kernels::histograms::launch_unchecked(
            &client,
            cubes(),
            units(),
            address_type(&[responses, &ranges, counts]),
            responses.clone().into_tensor_arg(),
            ranges.into_tensor_arg(),
            counts.clone().into_tensor_arg(),
            positions,
            first_row,
        );
    }
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
            kernels::responses::launch_unchecked(
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

    fn response_histograms(
        image: FloatTensor<Self>,
        exemplar: FloatTensor<Self>,
    ) -> IntTensor<Self> {
        let (image, exemplar) = (into_contiguous(image), into_contiguous(exemplar));
        let [filters, _, _] = image.meta.shape().dims();
        let (client, device) = (image.client.clone(), image.device.clone());
        let counts = zeros_client(client, device, [2, filters, ENTRIES].into(), DType::U32);
        count(&image, &counts, 0);
        count(&exemplar, &counts, filters);
        counts
    }

    fn transport_gradient(
        responses: FloatTensor<Self>,
        tables: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        geometry: Geometry,
        soft: f32,
    ) -> FloatTensor<Self> {
        let responses = into_contiguous(responses);
        let (tables, weights) = (into_contiguous(tables), into_contiguous(weights));
        let client = responses.client.clone();
        let output = empty(&responses, geometry.gradient(), DType::F32);
        let addresses = address_type(&[&responses, &tables, &weights, &output]);
        // SAFETY: units read responses at positions inside, or repeated ones, and a table between its first and last
        // edge. They write their own pixels, if they lie inside, and each workgroup its own sum.
        #[allow(unsafe_code)]
        unsafe {
            kernels::gradient::launch_unchecked(
                &client,
                cubes(&geometry, 1),
                units(),
                addresses,
                LANES,
                responses.into_tensor_arg(),
                tables.into_tensor_arg(),
                weights.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                sizes(&geometry),
                geometry.filters,
                soft,
                geometry.channels,
                geometry.side,
                geometry.wraps,
            );
        }
        output
    }
}

//! The launches of the kernels on CubeCL's backend.

use burn::backend::DType;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, cubecl::calculate_cube_count_elemwise};
use cubecl::prelude::*;

use super::backend::{Convolutions, Pass};
use super::products::products;
use super::row_blocks::{RowBlock, row_blocks};
use super::winograd::TilesLaunch;
use super::{first_layer, winograd, winograd_gradient};
use crate::engine::winograd::ELEMENTS;

/// An uninitialised tensor on the device of `like`.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), dtype)
}

/// Launches a kernel with this number of units.
fn launch(client: &Client, units: usize, kernel: impl FnOnce(CubeCount, CubeDim)) {
    let cube = CubeDim::new(client, units);
    let cubes = calculate_cube_count_elemwise(client, units, cube);
    kernel(cubes, cube);
}

pub(super) fn address_type(tensors: &[&CubeTensor]) -> AddressType {
    let types = tensors.iter().map(|tensor| tensor.required_address_type());
    types.max().unwrap_or_default()
}

fn element(tensor: &CubeTensor) -> cubecl::ir::ElemType {
    burn::backend::cubecl::dtype_to_elem_type(tensor.dtype)
}

/// The kernel argument for a block of tile rows.
fn tiles(pass: &Pass, block: &RowBlock, vectors: usize) -> TilesLaunch {
    let [down, across] = pass.axes();
    TilesLaunch::new(
        down.length as u32,
        across.length as u32,
        down.tiles as u32,
        across.tiles as u32,
        block.first as u32,
        block.rows as u32,
        vectors as u32,
    )
}

impl Convolutions for CubeBackend {
    fn winograd(
        input: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pass: Pass,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        let input = into_contiguous(input);
        let client = input.client.clone();
        let [_, _, _, channels_in] = input.meta.shape().dims();
        let channels_out = bias.meta.shape()[0];
        let output = empty(&input, pass.output(channels_out), bias.dtype);
        let mask = empty(&input, pass.mask(channels_out), DType::U32);
        let [down, across] = pass.axes();
        let widest = channels_in.max(channels_out);
        let row_bytes = ELEMENTS * across.tiles * widest * DType::F32.size();
        for block in row_blocks(down.tiles, row_bytes, pass.largest, 0) {
            let count = block.rows * across.tiles;
            let transformed = empty(&input, [ELEMENTS, count, channels_in], DType::F32);
            let vectors = channels_in / winograd::LANES;
            let units = count * vectors;
            let addresses = address_type(&[&input, &transformed]);
            // SAFETY: each unit writes the elements of one tile of `transformed` and reads samples of
            // `input` within the size that `tiles` gives. Units beyond the last one return at once.
            #[allow(unsafe_code)]
            launch(&client, units, |cubes, cube| unsafe {
                winograd::transform_input::launch_unchecked(
                    &client,
                    cubes,
                    cube,
                    addresses,
                    winograd::LANES,
                    input.clone().into_tensor_arg(),
                    transformed.clone().into_tensor_arg(),
                    tiles(&pass, &block, vectors),
                    units,
                    pass.offsets(),
                    pass.padding,
                    element(&input),
                );
            });
            let products = products(transformed, filter.clone());
            let vectors = channels_out / winograd::LANES;
            let units = count * vectors;
            let addresses = address_type(&[&products, &output]);
            // SAFETY: each unit reads one tile of `products`. It writes its own pixels of `output`, if
            // they lie inside, and its own word of `mask`.
            #[allow(unsafe_code)]
            launch(&client, units, |cubes, cube| unsafe {
                winograd::transform_output::launch_unchecked(
                    &client,
                    cubes,
                    cube,
                    addresses,
                    winograd::LANES,
                    products.into_tensor_arg(),
                    bias.clone().into_tensor_arg(),
                    output.clone().into_tensor_arg(),
                    mask.clone().into_tensor_arg(),
                    tiles(&pass, &block, vectors),
                    units,
                    pass.offsets(),
                    pass.pooled,
                    element(&bias),
                );
            });
        }
        (output, mask)
    }

    fn winograd_gradient(
        gradient: FloatTensor<Self>,
        mask: IntTensor<Self>,
        filter: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self> {
        let gradient = into_contiguous(gradient);
        let client = gradient.client.clone();
        let dtype = element(&gradient);
        let [_, channels_out, channels_in] = filter.meta.shape().dims();
        let shape = [1, pass.size[0], pass.size[1], channels_in];
        let output = empty(&gradient, shape, gradient.dtype);
        let [down, across] = pass.axes();
        let widest = channels_in.max(channels_out);
        let row_bytes = ELEMENTS * across.tiles * widest * DType::F32.size();
        for block in row_blocks(down.tiles, row_bytes, pass.largest, 1) {
            let count = block.rows * across.tiles;
            let transformed = empty(&gradient, [ELEMENTS, count, channels_out], DType::F32);
            let vectors = channels_out / winograd::LANES;
            let units = count * vectors;
            let addresses = address_type(&[&gradient, &transformed]);
            // SAFETY: each unit reads its own pixels of `gradient`, if they lie inside, and its own
            // word of `mask`. It writes the elements of one tile of `transformed`.
            #[allow(unsafe_code)]
            launch(&client, units, |cubes, cube| unsafe {
                winograd_gradient::transform_output_gradient::launch_unchecked(
                    &client,
                    cubes,
                    cube,
                    addresses,
                    winograd::LANES,
                    gradient.clone().into_tensor_arg(),
                    mask.clone().into_tensor_arg(),
                    transformed.clone().into_tensor_arg(),
                    tiles(&pass, &block, vectors),
                    units,
                    pass.offsets(),
                    pass.pooled,
                    dtype,
                );
            });
            let products = products(transformed, filter.clone());
            let vectors = channels_in / winograd::LANES;
            let units = block.results * across.tiles * vectors;
            let addresses = address_type(&[&products, &output]);
            // SAFETY: each unit reads tiles of `products` inside the block, and skips neighbours beyond
            // the ends of an axis. It writes its own pixels of `output`, if they lie inside.
            #[allow(unsafe_code)]
            launch(&client, units, |cubes, cube| unsafe {
                winograd_gradient::transform_input_gradient::launch_unchecked(
                    &client,
                    cubes,
                    cube,
                    addresses,
                    winograd::LANES,
                    products.into_tensor_arg(),
                    output.clone().into_tensor_arg(),
                    tiles(&pass, &block, vectors),
                    block.first_result as u32,
                    units,
                    pass.offsets(),
                    pass.padding,
                    dtype,
                );
            });
        }
        output
    }

    fn first_layer(
        input: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self> {
        let input = into_contiguous(input);
        let filter = into_contiguous(filter);
        let client = input.client.clone();
        let dtype = element(&bias);
        let channels_out = bias.meta.shape()[0];
        let [_, channels_in, _] = filter.meta.shape().dims();
        let output = empty(&input, pass.output(channels_out), bias.dtype);
        let [height, width] = pass.size;
        let units =
            height * width.div_ceil(first_layer::PIXELS) * (channels_out / first_layer::LANES);
        let addresses = address_type(&[&input, &output]);
        // SAFETY: each unit reads samples of `input` within the size that it is given. It writes
        // its own pixels of `output`, if they lie inside.
        #[allow(unsafe_code)]
        launch(&client, units, |cubes, cube| unsafe {
            first_layer::features::launch_unchecked(
                &client,
                cubes,
                cube,
                addresses,
                first_layer::LANES,
                input.into_tensor_arg(),
                filter.into_tensor_arg(),
                bias.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                height as u32,
                width as u32,
                units,
                channels_in,
                pass.padding,
                dtype,
            );
        });
        output
    }

    fn first_layer_gradient(
        gradient: FloatTensor<Self>,
        features: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self> {
        let gradient = into_contiguous(gradient);
        let features = into_contiguous(features);
        let filter = into_contiguous(filter);
        let client = gradient.client.clone();
        let dtype = element(&gradient);
        let [_, channels_in, channels_out] = filter.meta.shape().dims();
        let [height, width] = pass.size;
        let output = empty(&gradient, [1, height, width, channels_in], DType::F32);
        let [rows, columns] = first_layer::BLOCK;
        let cubes = CubeCount::Static(
            width.div_ceil(columns) as u32,
            height.div_ceil(rows) as u32,
            1,
        );
        let addresses = address_type(&[&gradient, &features]);
        // SAFETY: each unit reads pixels inside `gradient` and `features`, and writes its own pixel of
        // `output`, if it lies inside.
        #[allow(unsafe_code)]
        unsafe {
            first_layer::image_gradient::launch_unchecked(
                &client,
                cubes,
                CubeDim::new_1d(first_layer::UNITS as u32),
                addresses,
                first_layer::LANES,
                gradient.into_tensor_arg(),
                features.into_tensor_arg(),
                filter.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                height as u32,
                width as u32,
                channels_out / first_layer::LANES,
                channels_in,
                pass.padding,
                dtype,
            );
        }
        output
    }
}

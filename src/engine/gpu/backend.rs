//! The kernels as operations of Burn's CubeCL backend, fused or not.
//!
//! Maps are `[1, height, width, channels]` here. Shapes were checked by who calls.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, DType, backend_extension};
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, cubecl::calculate_cube_count_elemwise};
use cubecl::prelude::*;

use super::row_blocks::{RowBlock, row_blocks};
use super::tiling::Axis;
use super::winograd::TilesLaunch;

use super::{first_layer, winograd};
use crate::engine::Padding;
use crate::engine::winograd::ELEMENTS;

/// What a pass of a convolution over a map is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pass {
    /// Height and width of the map that the convolution reads.
    pub(super) size: [usize; 2],
    pub(super) padding: Padding,
    /// Whether features are averaged 2x2 as they are written.
    pub(super) pooled: bool,
    /// Most bytes of a transformed map. Larger ones are worked on in blocks of rows of tiles.
    pub(super) largest: usize,
}

impl Pass {
    /// The same over a map that was padded before.
    pub(super) fn padded(self) -> Self {
        Self {
            size: self.size.map(|length| length + 2),
            padding: Padding::Zero,
            pooled: false,
            ..self
        }
    }

    fn axes(&self) -> [Axis; 2] {
        self.size.map(|length| Axis::new(length, self.padding))
    }

    fn early(&self) -> [usize; 2] {
        self.axes().map(|axis| axis.before)
    }

    fn output(&self, channels: usize) -> Shape {
        let size = self
            .size
            .map(|length| if self.pooled { length / 2 } else { length });
        Shape::from([1, size[0], size[1], channels])
    }

    /// Of the words that say which features passed the ReLU.
    fn words(&self, channels: usize) -> Shape {
        let [rows, columns] = self.axes().map(|axis| axis.tiles);
        Shape::from([rows * columns, channels / winograd::LANES])
    }
}

#[cfg(feature = "fusion")]
mod specification {
    use burn::backend::fusion::custom::TensorSpec;

    use super::{DType, Pass, Shape};

    pub(super) fn features(
        _: &TensorSpec,
        _: &TensorSpec,
        bias: &TensorSpec,
        pass: &Pass,
    ) -> (TensorSpec, TensorSpec) {
        let channels = bias.shape[0];
        let words = TensorSpec::new(pass.words(channels), DType::U32);
        (TensorSpec::new(pass.output(channels), bias.dtype), words)
    }

    pub(super) fn map(pass: &Pass, channels: usize) -> Shape {
        Shape::from([1, pass.size[0], pass.size[1], channels])
    }
}

/// Convolutions of 3x3 with stride 1, padded by one, with ReLUs.
#[backend_extension(Cube: cfg(feature = "cube"), Fusion: cfg(feature = "fusion"))]
pub(crate) trait Convolutions: Backend {
    /// Features, and which of them the ReLU passed, by the Winograd transform. The filter is
    /// `[36, channels in, channels out]`.
    #[fusion(meta = specification::features)]
    fn winograd(
        input: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pass: Pass,
    ) -> (FloatTensor<Self>, IntTensor<Self>);

    /// The gradient at the input from that at the features. The filter is `[36, channels out,
    /// channels in]`.
    #[fusion(dtype = gradient, shape = specification::map(pass, filter[2]))]
    fn winograd_gradient(
        gradient: FloatTensor<Self>,
        passed: IntTensor<Self>,
        filter: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self>;

    /// Features by sums of products, of an image in f32. The filter is `[9, channels in, channels
    /// out]`.
    #[fusion(dtype = bias, shape = specification::map(pass, bias[0]))]
    fn first_layer(
        input: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self>;

    /// The gradient at the image, in f32, from that at the features.
    #[fusion(dtype = DType::F32, shape = specification::map(pass, filter[1]))]
    fn first_layer_gradient(
        gradient: FloatTensor<Self>,
        features: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        pass: Pass,
    ) -> FloatTensor<Self>;
}

fn empty(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), dtype)
}

/// Launches a kernel with so many units of work, spread over the device.
fn launch(
    client: &Client,
    units: usize,
    addresses: AddressType,
    kernel: impl FnOnce(&Client, CubeCount, CubeDim, AddressType),
) {
    let cube = CubeDim::new(client, units);
    let cubes = calculate_cube_count_elemwise(client, units, cube);
    kernel(client, cubes, cube, addresses);
}

fn address_type(tensors: &[&CubeTensor]) -> AddressType {
    let types = tensors.iter().map(|tensor| tensor.required_address_type());
    types.max().unwrap_or_default()
}

fn element(tensor: &CubeTensor) -> cubecl::ir::ElemType {
    burn::backend::cubecl::dtype_to_elem_type(tensor.dtype)
}

/// The tiles of a block, as kernels are told.
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

/// Products of transformed maps and filters, `[36, tiles, channels]`.
fn products(transformed: CubeTensor, filter: CubeTensor) -> CubeTensor {
    let dtype = transformed.dtype;
    let [elements, tiles, _] = transformed.meta.shape().dims();
    let [_, _, channels] = filter.meta.shape().dims();
    // Contiguous, as the kernels after it read: a backend might choose padded rows.
    let output = empty(&transformed, [elements, tiles, channels], dtype);
    let strategy = match crate::backend::tunes() {
        true => MatmulStrategy::default(),
        false => MatmulStrategy::Cube,
    };
    match matmul(transformed, filter, Some(output), strategy, dtype) {
        Ok(products) => products,
        Err(error) => panic!("a product of {tiles} tiles: {error:?}"),
    }
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
        let passed = empty(&input, pass.words(channels_out), DType::U32);
        let [down, across] = pass.axes();
        let widest = channels_in.max(channels_out);
        let row = ELEMENTS * across.tiles * widest * DType::F32.size();
        for block in row_blocks(down.tiles, row, pass.largest, false) {
            let count = block.rows * across.tiles;
            let transformed = empty(&input, [ELEMENTS, count, channels_in], DType::F32);
            let vectors = channels_in / winograd::LANES;
            let units = count * vectors;
            let addresses = address_type(&[&input, &transformed]);
            // SAFETY: every unit writes the elements of one tile of `transformed` and reads samples
            // of `input`, whose sizes `tiles` gives; units beyond the last end at once.
            #[allow(unsafe_code)]
            launch(
                &client,
                units,
                addresses,
                |client, cubes, cube, addresses| unsafe {
                    winograd::transform_input::launch_unchecked(
                        client,
                        cubes,
                        cube,
                        addresses,
                        winograd::LANES,
                        input.clone().into_tensor_arg(),
                        transformed.clone().into_tensor_arg(),
                        tiles(&pass, &block, vectors),
                        units,
                        pass.early(),
                        pass.padding,
                        element(&input),
                    );
                },
            );
            let products = products(transformed, filter.clone());
            let vectors = channels_out / winograd::LANES;
            let units = count * vectors;
            let addresses = address_type(&[&products, &output]);
            // SAFETY: every unit reads one tile of `products`, and writes its own pixels of
            // `output`, those within it, and its word of `passed`.
            #[allow(unsafe_code)]
            launch(
                &client,
                units,
                addresses,
                |client, cubes, cube, addresses| unsafe {
                    winograd::transform_output::launch_unchecked(
                        client,
                        cubes,
                        cube,
                        addresses,
                        winograd::LANES,
                        products.into_tensor_arg(),
                        bias.clone().into_tensor_arg(),
                        output.clone().into_tensor_arg(),
                        passed.clone().into_tensor_arg(),
                        tiles(&pass, &block, vectors),
                        units,
                        pass.early(),
                        pass.pooled,
                        element(&bias),
                    );
                },
            );
        }
        (output, passed)
    }

    fn winograd_gradient(
        gradient: FloatTensor<Self>,
        passed: IntTensor<Self>,
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
        let row = ELEMENTS * across.tiles * widest * DType::F32.size();
        for block in row_blocks(down.tiles, row, pass.largest, true) {
            let count = block.rows * across.tiles;
            let transformed = empty(&gradient, [ELEMENTS, count, channels_out], DType::F32);
            let vectors = channels_out / winograd::LANES;
            let units = count * vectors;
            let addresses = address_type(&[&gradient, &transformed]);
            // SAFETY: every unit reads its own pixels of `gradient`, those within it, and its word of
            // `passed`, and writes the elements of one tile of `transformed`.
            #[allow(unsafe_code)]
            launch(
                &client,
                units,
                addresses,
                |client, cubes, cube, addresses| unsafe {
                    winograd::transform_output_gradient::launch_unchecked(
                        client,
                        cubes,
                        cube,
                        addresses,
                        winograd::LANES,
                        gradient.clone().into_tensor_arg(),
                        passed.clone().into_tensor_arg(),
                        transformed.clone().into_tensor_arg(),
                        tiles(&pass, &block, vectors),
                        units,
                        pass.early(),
                        pass.pooled,
                        dtype,
                    );
                },
            );
            let products = products(transformed, filter.clone());
            let vectors = channels_in / winograd::LANES;
            let units = block.results * across.tiles * vectors;
            let addresses = address_type(&[&products, &output]);
            // SAFETY: every unit reads tiles of `products` that are in the part or, at the ends of
            // an axis without them, none; and writes its own pixels of `output`, those within it.
            #[allow(unsafe_code)]
            launch(
                &client,
                units,
                addresses,
                |client, cubes, cube, addresses| unsafe {
                    winograd::transform_input_gradient::launch_unchecked(
                        client,
                        cubes,
                        cube,
                        addresses,
                        winograd::LANES,
                        products.into_tensor_arg(),
                        output.clone().into_tensor_arg(),
                        tiles(&pass, &block, vectors),
                        block.first_result as u32,
                        units,
                        pass.early(),
                        pass.padding,
                        dtype,
                    );
                },
            );
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
        // SAFETY: every unit reads samples of `input`, whose size it is told, and writes its own
        // pixels of `output`, those within it.
        #[allow(unsafe_code)]
        launch(
            &client,
            units,
            addresses,
            |client, cubes, cube, addresses| unsafe {
                first_layer::features::launch_unchecked(
                    client,
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
            },
        );
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
        let units = height * width;
        let addresses = address_type(&[&gradient, &features]);
        // SAFETY: every unit reads pixels of `gradient` and `features` within them, and writes its own
        // of `output`.
        #[allow(unsafe_code)]
        launch(
            &client,
            units,
            addresses,
            |client, cubes, cube, addresses| unsafe {
                first_layer::image_gradient::launch_unchecked(
                    client,
                    cubes,
                    cube,
                    addresses,
                    first_layer::LANES,
                    gradient.into_tensor_arg(),
                    features.into_tensor_arg(),
                    filter.into_tensor_arg(),
                    output.clone().into_tensor_arg(),
                    height as u32,
                    width as u32,
                    channels_out / first_layer::LANES,
                    units,
                    channels_in,
                    pass.padding,
                    dtype,
                );
            },
        );
        output
    }
}

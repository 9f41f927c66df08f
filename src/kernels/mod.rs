//! Layers as arithmetic: the only room that knows how a device computes.
//!
//! Three engines do the same work. On devices whose tensors lie in host memory (Flex, NdArray) the
//! kernels of [`host`] run on slices; on those that CubeCL compiles for (GPUs), those of [`cube`]; for
//! what neither knows, and whenever Burn's autodiff is to see the operations, [`tensors`] composes
//! Burn's own. A map is channels last in memory either way.
//!
//! Weights are frozen, so the backward pass needs little of the forward pass: which channels the
//! ReLU passed, and for maximum pooling where the maxima were.

mod bench;
mod channels;
mod convolution;
#[cfg(feature = "cube")]
mod cube;
#[cfg(not(feature = "cube"))]
#[path = "cube/absent.rs"]
mod cube;
mod device_map;
mod filters;
mod held;
mod host;
mod padding;
mod planes;
mod pooling;
mod positions;
mod precision;
mod quantiles;
pub(crate) mod reference;
mod tensors;
mod transport;

use burn::tensor::{Device, FloatDType, Int, Tensor};

pub use self::bench::{DeviceLayerBench, LayerBench, LayerWay};
pub(crate) use self::channels::{Affine, Moments, mix, moments};
pub(crate) use self::convolution::{Convolution, ConvolutionShape, ParameterSource, Parameters};
use self::device_map::DeviceMap;
pub(crate) use self::filters::FilterBank;
pub(crate) use self::held::Held;
pub use self::padding::Padding;
pub(crate) use self::planes::Planes;
pub(crate) use self::pooling::Pool;
pub use self::pooling::Pooling;
pub(crate) use self::positions::Positions;
pub use self::precision::Precision;
pub(crate) use self::quantiles::{along, subtract_quantiles};
pub(crate) use self::reference::{Case, gate};
pub(crate) use self::transport::{Share, transport};
use crate::error::Result;

/// Whether a device computes in half precision.
pub(crate) fn has_half(device: &Device) -> bool {
    let device = device.clone().inner();
    cube::serves(&device) && device.supports_dtype(FloatDType::F16)
}

/// Who computes, with what it keeps between evaluations.
pub(crate) struct Engine {
    device: Device,
    in_host_memory: bool,
    /// Whether the kernels of [`cube`] run there.
    compiles: bool,
    half: bool,
    buffers: host::Buffers,
}

/// A feature map between two layers.
pub(crate) enum FeatureMap {
    Host(host::Map),
    /// The gradient at the output of an average pooling, to be read as that at its input.
    HostPooled(host::Map, host::PoolTrace),
    Device(DeviceMap),
}

impl FeatureMap {
    /// `[1, C, H, W]`.
    pub(crate) fn shape(&self) -> [usize; 4] {
        match self {
            Self::Host(map) | Self::HostPooled(map, _) => map.shape(),
            Self::Device(map) => map.tensor.dims(),
        }
    }
}

/// What one layer's backward pass needs of its forward pass.
pub(crate) enum Step {
    HostConvolution {
        signs: Option<host::Signs>,
        input: (usize, usize),
        /// Whether the backward pass can read a gradient above an average pooling.
        reads_pooled: bool,
    },
    HostPool(host::PoolTrace),
    DeviceConvolution {
        relu: Option<Tensor<4>>,
        input: [usize; 2],
    },
    DevicePool {
        input: Tensor<4>,
        places: Option<Tensor<4, Int>>,
    },
    /// Averages of 2x2 pixels of a map of this height and width.
    DeviceHalving([usize; 2]),
    CubeConvolution {
        passed: cube::Passed,
        input: [usize; 2],
    },
}

impl Engine {
    pub(crate) fn new(device: &Device, precision: Precision) -> Self {
        Self {
            in_host_memory: crate::backend::is_in_host_memory(device),
            compiles: cube::serves(&device.clone().inner()),
            half: precision == Precision::Half,
            device: device.clone().inner(),
            buffers: host::Buffers::default(),
        }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Bytes of the largest map that the device can hold, if that is limited.
    pub(crate) fn largest_buffer(&self) -> Option<u64> {
        crate::backend::largest_buffer(&self.device)
    }

    /// Whether Burn's autodiff watches a map.
    pub(crate) fn is_watched(&self, map: &FeatureMap) -> bool {
        matches!(map, FeatureMap::Device(map) if map.tensor.is_autodiff())
    }

    /// Frees memory kept for reuse.
    pub(crate) fn release(&self) {
        self.buffers.clear();
    }

    /// Takes an image `[1, C, H, W]` in; a tensor that autodiff watches stays a tensor.
    pub(crate) fn enter(&self, image: Tensor<4>) -> Result<FeatureMap> {
        if self.in_host_memory && !image.is_autodiff() {
            host::Map::from_tensor(image).map(FeatureMap::Host)
        } else {
            Ok(FeatureMap::Device(DeviceMap::new(image)))
        }
    }

    /// Gives a map out as a tensor `[1, C, H, W]` of f32.
    pub(crate) fn leave(&self, map: FeatureMap) -> Tensor<4> {
        match map {
            FeatureMap::Host(map) | FeatureMap::HostPooled(map, _) => map.into_tensor(&self.device),
            FeatureMap::Device(map) => map.into_tensor(),
        }
    }

    /// The kernels that this engine has for a convolution of such a map.
    fn compiled<'a>(
        &self,
        convolution: &'a Convolution,
        map: &Tensor<4>,
    ) -> Option<&'a cube::CubeConvolution> {
        let usable = self.compiles && !map.is_autodiff();
        convolution.cube.as_ref().filter(|_| usable)
    }

    /// Says that a map is no longer needed.
    pub(crate) fn recycle(&self, map: FeatureMap) {
        if let FeatureMap::Host(map) | FeatureMap::HostPooled(map, _) = map {
            map.recycle(&self.buffers);
        }
    }

    /// Whether [`convolve`](Self::convolve) can pool what it computes from such a map.
    pub(crate) fn can_pool(
        &self,
        convolution: &Convolution,
        pool: &Pool,
        input: &FeatureMap,
    ) -> bool {
        pool.halves()
            && match input {
                FeatureMap::Host(_) => convolution.host.is_winograd(),
                FeatureMap::Device(map) => {
                    let [_, _, height, width] = map.tensor.dims();
                    self.compiled(convolution, &map.tensor)
                        .is_some_and(|cube| cube.can_pool([height, width]))
                }
                FeatureMap::HostPooled(..) => false,
            }
    }

    /// A convolution with its ReLU; the average pooling after it too if `pooled`.
    pub(crate) fn convolve(
        &self,
        convolution: &Convolution,
        input: &FeatureMap,
        pooled: bool,
        traced: bool,
    ) -> (FeatureMap, Option<Step>) {
        let parameters = convolution.parameters();
        match input {
            FeatureMap::Host(map) => {
                let host = &convolution.host;
                let (output, signs) = host.forward(parameters, map, pooled, &self.buffers);
                let step = traced.then(|| Step::HostConvolution {
                    signs,
                    input: (map.height(), map.width()),
                    reads_pooled: host.is_winograd(),
                });
                (FeatureMap::Host(output), step)
            }
            FeatureMap::Device(DeviceMap { tensor, .. }) => {
                let [_, _, height, width] = tensor.dims();
                let input = [height, width];
                if let Some(cube) = self.compiled(convolution, tensor) {
                    let (output, passed) = cube.forward(parameters, tensor.clone(), pooled);
                    let step = traced.then_some(Step::CubeConvolution { passed, input });
                    return (FeatureMap::Device(DeviceMap::new(output)), step);
                }
                let output = convolution
                    .tensors
                    .forward(parameters, tensor.clone(), &self.device);
                let step = traced.then(|| Step::DeviceConvolution {
                    relu: convolution.shape.relu.then(|| output.clone()),
                    input,
                });
                (FeatureMap::Device(DeviceMap::new(output)), step)
            }
            FeatureMap::HostPooled(..) => unreachable!("only gradients are read above a pooling"),
        }
    }

    /// The step of an average pooling that [`convolve`](Self::convolve) did along with this map, of
    /// features of this height and width.
    pub(crate) fn pooled(&self, map: &FeatureMap, (height, width): (usize, usize)) -> Step {
        match map {
            FeatureMap::Host(_) | FeatureMap::HostPooled(..) => {
                Step::HostPool(host::PoolTrace::of_average((height, width)))
            }
            FeatureMap::Device(_) => Step::DeviceHalving([height, width]),
        }
    }

    pub(crate) fn pool(
        &self,
        pool: &Pool,
        input: &FeatureMap,
        traced: bool,
    ) -> (FeatureMap, Option<Step>) {
        match input {
            FeatureMap::Host(map) => {
                let (output, trace) = host::pool(pool, map, &self.buffers);
                (
                    FeatureMap::Host(output),
                    traced.then_some(Step::HostPool(trace)),
                )
            }
            FeatureMap::Device(DeviceMap { tensor, .. }) => {
                let (output, places) = tensors::pool(pool, tensor.clone(), traced);
                let [_, _, height, width] = tensor.dims();
                let step = traced.then(|| match pool.halves() {
                    true => Step::DeviceHalving([height, width]),
                    false => Step::DevicePool {
                        input: tensor.clone(),
                        places,
                    },
                });
                (FeatureMap::Device(DeviceMap::new(output)), step)
            }
            FeatureMap::HostPooled(..) => unreachable!("only gradients are read above a pooling"),
        }
    }

    /// The gradient at the deepest map: what its losses say, on hosts gated by the map's own
    /// ReLU.
    pub(crate) fn start(&self, gradient: FeatureMap, step: &Step) -> FeatureMap {
        match gradient {
            FeatureMap::Host(mut map) => {
                arrival(None, Some(step)).apply(&mut map);
                FeatureMap::Host(map)
            }
            FeatureMap::Device(map) if self.half => {
                FeatureMap::Device(DeviceMap::scaled(map.into_tensor()))
            }
            other => other,
        }
    }

    /// Takes a gradient through a convolution to the map below, adds what arrives there, and on
    /// hosts gates it by the ReLU that made that map.
    pub(crate) fn convolve_gradient(
        &self,
        convolution: &Convolution,
        gradient: FeatureMap,
        step: &Step,
        added: Option<FeatureMap>,
        below: Option<&Step>,
    ) -> FeatureMap {
        let parameters = convolution.parameters();
        let host = |above: &host::Above<'_>, input: (usize, usize), added| {
            let arrival = arrival(added, below);
            let host = &convolution.host;
            FeatureMap::Host(host.input_gradient(parameters, above, input, arrival, &self.buffers))
        };
        let lower = match (&gradient, step) {
            (FeatureMap::Host(map), Step::HostConvolution { input, .. }) => {
                host(&host::Above::Map(map), *input, added)
            }
            (FeatureMap::HostPooled(map, pool), Step::HostConvolution { input, signs, .. }) => {
                let above = host::Above::Pooled(map, signs.as_ref(), pool.size());
                host(&above, *input, added)
            }
            (FeatureMap::Device(map), Step::DeviceConvolution { input, relu }) => {
                let gradient = match relu {
                    Some(features) => tensors::gate(map.tensor.clone(), features.clone()),
                    None => map.tensor.clone(),
                };
                let lower =
                    convolution
                        .tensors
                        .input_gradient(parameters, gradient, *input, &self.device);
                FeatureMap::Device(map.with(lower).plus(on_device(added)))
            }
            (FeatureMap::Device(map), Step::CubeConvolution { passed, input }) => {
                let Some(cube) = &convolution.cube else {
                    unreachable!("the forward pass had its kernels")
                };
                let (tensor, pooled) = (map.tensor.clone(), map.pooled);
                let lower = cube.input_gradient(parameters, tensor, passed, *input, pooled);
                FeatureMap::Device(map.with(lower).plus(on_device(added)))
            }
            _ => unreachable!("a trace is walked with the engine that made it"),
        };
        self.recycle(gradient);
        lower
    }

    /// The same through a pooling step.
    pub(crate) fn pool_gradient(
        &self,
        pool: &Pool,
        gradient: FeatureMap,
        step: &Step,
        added: Option<FeatureMap>,
        below: Option<&Step>,
    ) -> FeatureMap {
        match (gradient, step) {
            (FeatureMap::Host(map), Step::HostPool(trace)) => {
                let reads_pooled = matches!(
                    below,
                    Some(Step::HostConvolution {
                        reads_pooled: true,
                        ..
                    })
                );
                if reads_pooled && pool.halves() && added.is_none() {
                    return FeatureMap::HostPooled(map, trace.clone());
                }
                let arrival = arrival(added, below);
                let lower = host::pool_gradient(pool, &map, trace, arrival, &self.buffers);
                map.recycle(&self.buffers);
                FeatureMap::Host(lower)
            }
            (FeatureMap::Device(map), Step::DevicePool { input, places }) => {
                let tensor = map.tensor.clone();
                let lower = tensors::pool_gradient(pool, input.clone(), tensor, places.clone());
                FeatureMap::Device(map.with(lower).plus(on_device(added)))
            }
            (FeatureMap::Device(mut map), Step::DeviceHalving(size)) => {
                if let (Some(Step::CubeConvolution { passed, .. }), None) = (below, &added)
                    && passed.reads_pooled()
                {
                    map.pooled = true;
                    return FeatureMap::Device(map);
                }
                let lower = tensors::spread(map.tensor.clone(), *size);
                FeatureMap::Device(map.with(lower).plus(on_device(added)))
            }
            _ => unreachable!("a trace is walked with the engine that made it"),
        }
    }
}

fn arrival(added: Option<FeatureMap>, step: Option<&Step>) -> host::Arrival<'_> {
    host::Arrival {
        added: added.map(|added| match added {
            FeatureMap::Host(map) => map,
            _ => unreachable!("gradients enter as the maps did"),
        }),
        signs: step.and_then(|step| match step {
            Step::HostConvolution { signs, .. } => signs.as_ref(),
            _ => None,
        }),
    }
}

fn on_device(map: Option<FeatureMap>) -> Option<DeviceMap> {
    map.map(|map| match map {
        FeatureMap::Device(map) => map,
        FeatureMap::Host(_) | FeatureMap::HostPooled(..) => {
            unreachable!("gradients enter as the maps did")
        }
    })
}

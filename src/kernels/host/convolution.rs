//! Which kernel serves which convolution.

use std::sync::OnceLock;

use super::buffers::Buffers;
use super::epilogue::{Epilogue, words};
use super::fold::fold;
use super::general::General;
use super::map::Map;
use super::shared::Shared;
use super::view::View;
use super::winograd::Winograd;
use super::{Arrival, Signs};
use crate::kernels::convolution::{ConvolutionShape, Parameters};
use crate::kernels::padding::{Padding, zero_sources};

/// A convolution's weights in the forms its kernels read, each made at its first use.
pub(crate) struct HostConvolution {
    shape: ConvolutionShape,
    forward: OnceLock<Kernel>,
    backward: OnceLock<Kernel>,
}

enum Kernel {
    Winograd(Winograd),
    General(General),
}

impl HostConvolution {
    pub(crate) fn new(shape: ConvolutionShape) -> Self {
        Self {
            shape,
            forward: OnceLock::new(),
            backward: OnceLock::new(),
        }
    }

    fn winograd_suits(&self) -> bool {
        let shape = &self.shape;
        shape.kernel == 3
            && shape.stride == 1
            && Winograd::suits(shape.channels_in, shape.channels_out)
    }

    fn general(&self, parameters: &Parameters) -> Kernel {
        Kernel::General(General::new(
            self.shape.kernel,
            self.shape.stride,
            self.shape.channels_in,
            self.shape.channels_out,
            &parameters.weight,
        ))
    }

    fn forward_kernel(&self, parameters: &Parameters) -> &Kernel {
        self.forward.get_or_init(|| {
            if !self.winograd_suits() {
                return self.general(parameters);
            }
            let channels_in = self.shape.channels_in;
            Kernel::Winograd(Winograd::new(
                channels_in,
                self.shape.channels_out,
                |input, output| parameters.filter(channels_in, output, input),
            ))
        })
    }

    /// The kernel that takes gradients down: for Winograd its own set of weights, otherwise the
    /// forward one, which knows both directions.
    fn backward_kernel(&self, parameters: &Parameters) -> &Kernel {
        if !self.winograd_suits() {
            return self.forward_kernel(parameters);
        }
        self.backward.get_or_init(|| {
            let channels_in = self.shape.channels_in;
            Kernel::Winograd(Winograd::new(
                self.shape.channels_out,
                channels_in,
                |output, input| {
                    let mut filter = parameters.filter(channels_in, output, input);
                    filter.reverse();
                    filter
                },
            ))
        })
    }

    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        input: &Map,
        buffers: &Buffers,
    ) -> (Map, Option<Signs>) {
        let shape = &self.shape;
        let rows = shape.mode.sources(input.height, shape.padding);
        let columns = shape.mode.sources(input.width, shape.padding);
        let (height, width) = shape.output(input.height, input.width);
        let channels = shape.channels_out;
        let mut output = Map {
            data: buffers.take(height * width * channels),
            height,
            width,
            channels,
        };
        let view = View {
            data: &input.data,
            width: input.width,
            channels: input.channels,
            rows: &rows,
            columns: &columns,
        };
        let mut signs = shape
            .rectified
            .then(|| vec![0u16; height * width * words(channels)]);
        let epilogue = match &mut signs {
            Some(signs) => Epilogue::Rectify {
                bias: &parameters.bias,
                signs: Shared::new(signs),
            },
            None => Epilogue::Bias(&parameters.bias),
        };
        match self.forward_kernel(parameters) {
            Kernel::Winograd(kernel) => {
                kernel.correlate(&view, (height, width), &epilogue, &mut output.data, buffers);
            }
            Kernel::General(kernel) => {
                kernel.correlate(&view, width, &epilogue, &mut output.data, buffers);
            }
        }
        (output, signs)
    }

    /// The gradient at the input, `(height, width)`, from that before the rectifier.
    pub(crate) fn input_gradient(
        &self,
        parameters: &Parameters,
        gradient: &Map,
        (height, width): (usize, usize),
        arrival: &Arrival<'_>,
        buffers: &Buffers,
    ) -> Map {
        let shape = &self.shape;
        let channels = shape.channels_in;
        let mut output = Map {
            data: buffers.take(height * width * channels),
            height,
            width,
            channels,
        };
        let epilogue = arrival.epilogue();
        let kernel = self.backward_kernel(parameters);
        let filtered = |amount: usize, size, epilogue: &Epilogue<'_>, target: &mut [f32]| {
            let Kernel::Winograd(kernel) = kernel else {
                return false;
            };
            let view = View {
                data: &gradient.data,
                width: gradient.width,
                channels: gradient.channels,
                rows: &zero_sources(gradient.height, amount),
                columns: &zero_sources(gradient.width, amount),
            };
            kernel.correlate(&view, size, epilogue, target, buffers);
            true
        };
        // Zeros beyond the border take no gradient, so the padded positions need not be computed.
        let reach = shape.kernel - 1;
        if shape.mode == Padding::Zero
            && shape.padding <= reach
            && filtered(
                reach - shape.padding,
                (height, width),
                &epilogue,
                &mut output.data,
            )
        {
            return output;
        }
        let rows = shape.mode.sources(height, shape.padding);
        let columns = shape.mode.sources(width, shape.padding);
        let mut padded = buffers.take(rows.len() * columns.len() * channels);
        if !filtered(
            reach,
            (rows.len(), columns.len()),
            &Epilogue::Plain,
            &mut padded,
        ) && let Kernel::General(kernel) = kernel
        {
            kernel.padded_gradient(
                &gradient.data,
                (gradient.height, gradient.width),
                columns.len(),
                &mut padded,
                buffers,
            );
        }
        fold(
            &padded,
            &rows,
            &columns,
            (height, width),
            channels,
            &epilogue,
            &mut output.data,
        );
        buffers.give(padded);
        output
    }
}

//! The launches of the kernels on CubeCL's backend.

use burn::backend::DType;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl;
use burn_cubecl::kernel::into_contiguous;
use cubecl::prelude::*;

use super::kernels::{self, LengthsLaunch, RatesLaunch, UNITS};
use super::operation::{AdamSteps, StepRates, Variables};
use crate::engine::gpu::launches::{address_type, empty};

impl AdamSteps for CubeBackend {
    fn summarise(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        variables: Variables,
    ) -> FloatTensor<Self> {
        let (first, second) = (into_contiguous(first), into_contiguous(second));
        let client = first.client.clone();
        let output = empty(&first, variables.summary(), DType::F32);
        let lengths = LengthsLaunch::new(
            first.meta.num_elements() as u32,
            second.meta.num_elements() as u32,
        );
        // SAFETY: units read both lists below their lengths. There is a workgroup for each row of `output`.
        #[allow(unsafe_code)]
        unsafe {
            kernels::summarise::launch_unchecked(
                &client,
                CubeCount::Static(variables.parts() as u32, 1, 1),
                CubeDim::new_1d(UNITS as u32),
                address_type(&[&first, &second, &output]),
                first.into_tensor_arg(),
                second.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                lengths,
                variables.count,
                variables.both,
            );
        }
        output
    }

    fn adam_step(
        state: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        free: FloatTensor<Self>,
        summary: FloatTensor<Self>,
        variables: Variables,
        rates: StepRates,
    ) -> FloatTensor<Self> {
        let [state, first, second, free, summary] =
            [state, first, second, free, summary].map(into_contiguous);
        let client = state.client.clone();
        let output = empty(&state, state.meta.shape().clone(), DType::F32);
        let rates = RatesLaunch::new(
            rates.beta1,
            rates.beta2,
            rates.rate,
            rates.epsilon,
            rates.low,
            rates.high,
        );
        // SAFETY: units read and write their own variables. Of `free` they read the pixels of these, where pixels are held.
        #[allow(unsafe_code)]
        unsafe {
            kernels::step::launch_unchecked(
                &client,
                CubeCount::Static(variables.parts() as u32, 1, 1),
                CubeDim::new_1d(UNITS as u32),
                address_type(&[&state, &first, &second, &free, &summary, &output]),
                state.into_tensor_arg(),
                first.into_tensor_arg(),
                second.into_tensor_arg(),
                free.into_tensor_arg(),
                summary.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                rates,
                variables.count,
                variables.parts(),
                variables.channels,
                variables.both,
                variables.held,
            );
        }
        output
    }
}

//! Adam with its state on a device.

use burn::tensor::{Device, Tensor};

use super::adam::{Adam, AdamOptions, Rates};
use crate::backend::{read, upload};
use crate::engine::adam::{Lists, StepRates, Summary, step};
use crate::error::{Result, not_negative};

/// [`Adam`] whose point and means lie on a device. Its steps are those of the host up to rounding.
pub(crate) struct AdamOnDevice {
    /// The point, the mean gradient and the mean square, one after the other.
    state: Tensor<1>,
    count: usize,
    /// Variables of a pixel.
    channels: usize,
    /// 0 at pixels that stay, and 1 elsewhere.
    free: Option<Tensor<1>>,
    steps: u64,
    options: AdamOptions,
}

impl AdamOnDevice {
    /// Goes on from a state on the host. None: after its first step its means have 16 bits, or gradients were too large for
    /// their squares.
    pub(crate) fn from_host(
        adam: &Adam,
        channels: usize,
        free: Option<&[f32]>,
        device: &Device,
    ) -> Option<Self> {
        let count = adam.ask().len();
        // Before the first step means of any form are zeros.
        // One after the other: host memory holds a copy of one.
        let state = match (adam.steps(), adam.vectors()) {
            (0, _) => {
                let point = upload(adam.ask().to_vec(), device);
                vec![point, Tensor::zeros([2 * count], device)]
            }
            (_, Some(vectors)) => vectors
                .map(|vector| upload(vector.to_vec(), device))
                .to_vec(),
            (_, None) => return None,
        };
        Some(Self {
            state: Tensor::cat(state, 0),
            count,
            channels,
            free: free.map(|free| upload(free.to_vec(), device)),
            steps: adam.steps(),
            options: adam.options().clone(),
        })
    }

    /// A list that begins with the point.
    pub(crate) fn point(&self) -> Tensor<1> {
        self.state.clone()
    }

    /// Takes one step of about `rate` in each variable, unless the summary is of values that are not finite. The gradients
    /// may have distances after their values.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails,
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for a rate that is negative or no number.
    pub(crate) fn tell(&mut self, gradient: Lists, rate: f64) -> Result<Summary> {
        not_negative("rate", rate)?;
        let Rates {
            beta1,
            beta2,
            rate,
            epsilon,
            low,
            high,
            ..
        } = Rates::new(&self.options, self.steps + 1, rate, 0);
        let rates = StepRates {
            beta1,
            beta2,
            rate,
            epsilon,
            low,
            high,
        };
        let variables = (self.count, self.channels);
        let (state, free) = (self.state.clone(), self.free.as_ref());
        let (state, summary) = step(state, gradient, variables, free, rates)?;
        if summary.is_finite {
            self.state = state;
            self.steps += 1;
        }
        Ok(summary)
    }

    /// Reads the point.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub(crate) fn read_point(&self) -> Result<Vec<f32>> {
        read(self.state.clone().narrow(0, 0, self.count))
    }

    /// Reads the state.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the device fails.
    pub(crate) fn to_host(&self) -> Result<Adam> {
        let vector = |number: usize| -> Result<Vec<f32>> {
            read(
                self.state
                    .clone()
                    .narrow(0, number * self.count, self.count),
            )
        };
        let vectors = [vector(0)?, vector(1)?, vector(2)?];
        Ok(Adam::of_vectors(self.options.clone(), self.steps, vectors))
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::*;
    use crate::engine::reference::noise;
    use crate::optim::falling_rate;

    fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
        let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        apart.fold(0.0, f32::max)
    }

    /// Sums of two gradients, pixels that stay, bounds, distances after the values, and lengths that are and are not
    /// multiples of a workgroup's.
    #[test]
    fn steps_are_those_of_the_host() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        for (pixels, both, held, bounds) in [
            (1, false, false, None),
            (43, true, false, Some((-0.4, 0.3))),
            (1024, false, true, None),
            (90_000, true, true, Some((-0.2, 0.5))),
        ] {
            let count = 3 * pixels;
            let options = AdamOptions {
                bounds,
                ..AdamOptions::default()
            };
            let mut host = Adam::new(noise(count, 1), options).unwrap();
            // A few steps on the host first: the state is taken along.
            host.tell(&noise(count, 2), 0.02).unwrap();
            let free: Vec<f32> = (0..pixels).map(|pixel| (pixel % 3).min(1) as f32).collect();
            let free = held.then_some(&free[..]);
            let mut on_device = AdamOnDevice::from_host(&host, 3, free, &device).unwrap();
            for number in 0..6 {
                let (first, second) = (noise(count, 10 + number), noise(count, 30 + number));
                let (mut more, mut gradient) = (first.clone(), first.clone());
                more.extend([0.25, 0.5, 4.0]);
                let mut others = second.clone();
                others.extend([2.0; 700]);
                if both {
                    gradient.iter_mut().zip(&second).for_each(|(a, b)| *a += b);
                }
                if let Some(free) = free {
                    let pixels = gradient.chunks_exact_mut(3).zip(free);
                    pixels.for_each(|(pixel, free)| pixel.iter_mut().for_each(|g| *g *= free));
                }
                let rate = falling_rate((0.02, 0.004), 0.7, number, 6);
                host.tell(&gradient, rate).unwrap();
                let lists = Lists {
                    first: upload(more, &device),
                    second: both.then(|| upload(others, &device)),
                };
                let summary = on_device.tell(lists, rate).unwrap();
                let sums = [4.75, if both { 1400.0 } else { 0.0 }];
                assert_eq!((summary.is_finite, summary.sums), (true, sums));
            }
            let found = on_device.to_host().unwrap();
            assert_eq!(found.steps(), host.steps());
            let pairs = found.vectors().unwrap().into_iter();
            for (found, expected) in pairs.zip(host.vectors().unwrap()) {
                let apart = largest_difference(found, expected);
                assert!(apart < 2e-6, "{pixels}: {apart}");
            }
            assert_eq!(on_device.read_point().unwrap(), found.ask());
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        let host = Adam::new(noise(3000, 1), AdamOptions::default()).unwrap();
        let mut on_device = AdamOnDevice::from_host(&host, 3, None, &device).unwrap();
        for (index, bad) in [
            (0, f32::NAN),
            (1717, f32::INFINITY),
            (2999, f32::NEG_INFINITY),
            (3001, f32::NAN),
        ] {
            let mut gradient = noise(3002, 2);
            gradient[index] = bad;
            let lists = Lists {
                first: upload(gradient, &device),
                second: None,
            };
            assert!(!on_device.tell(lists, 0.1).unwrap().is_finite);
            assert_eq!(on_device.to_host().unwrap(), host);
        }
    }

    #[test]
    fn compact_means_that_have_begun_stay_on_the_host() {
        let Some(device) = crate::engine::gpu_of_tests() else {
            return;
        };
        let options = AdamOptions::default().with_compact(true);
        let mut host = Adam::new(vec![0.5; 12], options).unwrap();
        let fresh = AdamOnDevice::from_host(&host, 3, None, &device).unwrap();
        let [point, mean, square] = [vec![0.5; 12], vec![0.0; 12], vec![0.0; 12]];
        let expected = [&point[..], &mean, &square];
        assert_eq!(fresh.to_host().unwrap().vectors().unwrap(), expected);
        host.tell(&[1.0; 12], 0.1).unwrap();
        assert!(AdamOnDevice::from_host(&host, 3, None, &device).is_none());
    }
}

//! Scores of candidates, computed on several devices at once.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::{Candidate, GreedyStackBuilder};
use crate::device::{Attempt, spread};
use crate::error::{Error, Result};
use crate::imaging::Raster;
use crate::invert::{InvertOptions, invert, reconstruction_error};
use crate::metrics::psnr;
use crate::network::{Layer, RandomVgg};
use crate::run::Control;

impl GreedyStackBuilder {
    /// Scores draws of a layer, on all devices side by side; whether `take` asked to stop.
    pub(super) fn score_all(
        &self,
        (network, layer, seeds): (&RandomVgg, Layer, Vec<u64>),
        devices: &[Device],
        reference: &Raster,
        take: &mut dyn FnMut(Candidate) -> Result<Control>,
    ) -> Result<bool> {
        let mut result = Ok(false);
        spread(
            devices,
            seeds,
            |device, seed| Attempt::Done(self.score(network, (layer, *seed), device, reference)),
            |_, attempt| {
                let (Attempt::Done(scored) | Attempt::Failed(scored)) = attempt;
                match scored.and_then(&mut *take) {
                    Ok(Control::Continue) => return ControlFlow::Continue(()),
                    Ok(Control::Stop) if result.is_ok() => result = Ok(true),
                    Err(error) if result.is_ok() => result = Err(error),
                    _ => {}
                }
                ControlFlow::Break(())
            },
        );
        result
    }

    /// Inverts the reference from one draw.
    fn score(
        &self,
        network: &RandomVgg,
        (layer, seed): (Layer, u64),
        device: &Device,
        reference: &Raster,
    ) -> Result<Candidate> {
        let vgg = network.clone().with_layer_seed(layer, seed).init(device)?;
        let picture = reference.to_tensor(device);
        let mut options = InvertOptions::paper();
        options.run.evaluations = Some(self.evaluations);
        let outcome = invert(&vgg, &picture, layer, &options, &mut ())?;
        // Half an inversion would be a wrong score.
        match outcome.failure() {
            Some(Error::Device(text)) => return Err(Error::Device(text.clone())),
            Some(failure) => return Err(Error::Device(failure.to_string())),
            None => {}
        }
        Ok(Candidate {
            layer,
            seed,
            score: reconstruction_error(&vgg, outcome.tensor(), picture, layer)?,
            psnr: psnr(&outcome.picture(), &reference.to_rgb())?,
        })
    }
}

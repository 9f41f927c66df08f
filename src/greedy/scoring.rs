//! Scores of candidates, computed on several devices at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use burn::tensor::Device;

use super::{Candidate, GreedyStackBuilder};
use crate::error::Result;
use crate::imaging::Raster;
use crate::invert::{InvertOptions, invert, reconstruction_error};
use crate::metrics::psnr;
use crate::network::{Layer, RandomVgg};
use crate::run::Control;

impl GreedyStackBuilder {
    /// Scores draws of a layer, on all devices side by side; whether `take` asked to stop.
    pub(super) fn score_all(
        &self,
        (network, layer, seeds): (&RandomVgg, Layer, VecDeque<u64>),
        devices: &[Device],
        reference: &Raster,
        take: &mut dyn FnMut(Candidate) -> Result<Control>,
    ) -> Result<bool> {
        let queue = Mutex::new(seeds);
        let over = AtomicBool::new(false);
        let next = || {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            (!over.load(Ordering::Relaxed))
                .then(|| queue.pop_front())
                .flatten()
        };
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for device in devices {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let Some(seed) = next() {
                        let scored = self.score(network, (layer, seed), device, reference);
                        if sender.send(scored).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut result = Ok(false);
            for scored in receiver {
                match scored.and_then(&mut *take) {
                    Ok(Control::Continue) => continue,
                    Ok(Control::Stop) if result.is_ok() => result = Ok(true),
                    Err(error) if result.is_ok() => result = Err(error),
                    _ => {}
                }
                over.store(true, Ordering::Relaxed);
            }
            result
        })
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
        Ok(Candidate {
            layer,
            seed,
            score: reconstruction_error(&vgg, outcome.tensor(), picture, layer)?,
            psnr: psnr(&outcome.picture(), &reference.to_rgb())?,
        })
    }
}

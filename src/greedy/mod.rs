//! The greedy stack: a random network whose layers are chosen, one after another, by how well an
//! image comes back from them.

mod report;
mod scoring;

use std::path::PathBuf;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, at_least_one};
use crate::imaging::{Picture, Size};
use crate::network::{Layer, RandomVgg};
use crate::run::Control;

/// Most candidates of a layer. More are probably a mistake.
const MOST_CANDIDATES: usize = 1_000_000;

/// Chooses the weights of a network layer by layer. Several draws of a layer are tried above the
/// layers that were chosen before; the one from which a reference picture comes back best is kept.
///
/// To score a draw, the picture is inverted from the layer's features, at one size and from noise. The
/// score is the distance between the features of the result `x` and those of the picture:
///
/// ```text
/// score = sum (F(x) - F(picture))^2 / sum F(picture)^2
/// ```
///
/// (He, Wang and Hopcroft, NIPS 2016, section 2.2, score by the loss itself. Divided by the size of the
/// features, it gives draws of smaller features no advantage.) With `n` candidates and a network of
/// seed `s`, the candidates of a layer are the seeds `n s` to `n s + n - 1`, so that stacks of
/// different seeds share none.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use image::DynamicImage;
/// use ranvgg::{GreedyStackBuilder, RandomVgg, device};
///
/// let reference = DynamicImage::new_rgb8(32, 32);
/// let device = device::by_name("flex")?;
/// let stack = GreedyStackBuilder::new(RandomVgg::vgg19(), &reference)
///     .with_candidates(2)
///     .with_evaluations(3)
///     .up_to("conv1_2".parse()?)
///     .with_devices([device.clone()])
///     .build(&mut ())?;
/// let vgg = stack.network().init(&device)?;
/// assert_eq!(stack.candidates().len(), 4);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GreedyStackBuilder {
    network: RandomVgg,
    reference: Picture,
    candidates: usize,
    evaluations: usize,
    deepest: Option<Layer>,
    devices: Vec<Device>,
    report: Option<PathBuf>,
}

/// A draw of a layer, and how well the reference came back from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The layer.
    pub layer: Layer,
    /// Its seed.
    pub seed: u64,
    /// What the stack chooses by; 0 is a perfect reconstruction of the features.
    pub score: f64,
    /// Decibels of the reconstruction against the reference.
    pub psnr: f64,
}

/// Watches a greedy stack while it is built, and may stop it.
///
/// Closures from a candidate and the number of candidates to [`Control`] are observers. So is `()`,
/// which watches nothing.
pub trait CandidateObserver {
    /// Called after each candidate was scored; `total` is how many there will be.
    fn observe(&mut self, candidate: &Candidate, total: usize) -> Control;
}

impl<F: FnMut(&Candidate, usize) -> Control> CandidateObserver for F {
    fn observe(&mut self, candidate: &Candidate, total: usize) -> Control {
        self(candidate, total)
    }
}

impl CandidateObserver for () {
    fn observe(&mut self, _: &Candidate, _: usize) -> Control {
        Control::Continue
    }
}

/// The network that was chosen, and every candidate that was scored.
#[derive(Clone, Debug)]
pub struct GreedyStack {
    network: RandomVgg,
    candidates: Vec<Candidate>,
    complete: bool,
}

impl GreedyStackBuilder {
    /// Chooses layers of `network`, whose architecture, options and seed are kept, for `reference`.
    pub fn new(network: RandomVgg, reference: impl Into<Picture>) -> Self {
        Self {
            network,
            reference: reference.into(),
            candidates: 8,
            evaluations: 60,
            deepest: None,
            devices: Vec::new(),
            report: None,
        }
    }

    /// Draws of each layer. Default: 8.
    #[must_use]
    pub fn with_candidates(mut self, candidates: usize) -> Self {
        self.candidates = candidates;
        self
    }

    /// Evaluations of each draw's inversion. Default: 60.
    #[must_use]
    pub fn with_evaluations(mut self, evaluations: usize) -> Self {
        self.evaluations = evaluations;
        self
    }

    /// The last layer that is chosen; deeper ones are drawn by the network's own seed. Default:
    /// `conv5_1`, of AlexNet `conv5`.
    #[must_use]
    pub fn up_to(mut self, deepest: Layer) -> Self {
        self.deepest = Some(deepest);
        self
    }

    /// Where draws are scored, each device one at a time: several devices share the draws of a
    /// layer, and one that is given twice scores two side by side. Default: the best one.
    #[must_use]
    pub fn with_devices(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.devices = devices.into_iter().collect();
        self
    }

    /// Writes every score to this file as soon as it is known, and takes from it those that are
    /// there already: a build that was killed goes on where it was.
    #[must_use]
    pub fn with_report(mut self, path: impl Into<PathBuf>) -> Self {
        self.report = Some(path.into());
        self
    }

    /// Chooses the layers' seeds.
    ///
    /// `observer` is told each candidate and how many there will be, and may stop the build.
    /// Candidates under way are finished and told all the same; the stack then holds the layers that
    /// were complete.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for no candidates or evaluations or a report of other settings,
    /// [`Error::File`](crate::Error::File) for a report that cannot be
    /// understood, those of [`invert`](crate::invert).
    pub fn build(&self, observer: &mut dyn CandidateObserver) -> Result<GreedyStack> {
        let layers = self.layers()?;
        at_least_one("candidates", self.candidates)?;
        if self.candidates > MOST_CANDIDATES {
            let allowed = format!("1 to {MOST_CANDIDATES}");
            return Err(Error::option("candidates", self.candidates, allowed));
        }
        at_least_one("evaluations", self.evaluations)?;
        let devices = match &self.devices[..] {
            [] => vec![crate::device::best()?],
            devices => devices.to_vec(),
        };
        let vgg = self.network.init(&devices[0])?;
        let reference = self.reference.read("the reference", vgg.channels())?;
        let Size { width, height } = reference.size();
        vgg.check_image("the reference", width, height, self.deepest())?;
        let total = layers.len() * self.candidates;
        let mut report = self.resumed(&reference)?;
        let mut network = self.network.clone();
        for layer in layers {
            let missing = self.seeds().filter(|seed| !report.knows(layer, *seed));
            let missing: Vec<u64> = missing.collect();
            let stopped = self.score_all(
                (&network, layer, missing),
                &devices,
                &reference,
                &mut |candidate| {
                    report.candidates.push(candidate.clone());
                    if let Some(path) = &self.report {
                        report.write(path)?;
                    }
                    Ok(observer.observe(&candidate, total))
                },
            )?;
            if stopped {
                return Ok(report.into_stack(network, false));
            }
            if let Some(best) = report.best(layer) {
                network = network.with_layer_seed(layer, best);
            }
        }
        Ok(report.into_stack(network, true))
    }

    fn deepest(&self) -> Layer {
        let fifth = self.network.architecture().block(5);
        match self.deepest.or(fifth.first().copied()) {
            Some(layer) => layer,
            None => unreachable!("every network has five blocks"),
        }
    }

    /// The layers that are chosen.
    fn layers(&self) -> Result<Vec<Layer>> {
        let mut layers = self.network.architecture().up_to(self.deepest())?;
        layers.retain(|layer| layer.has_weights());
        Ok(layers)
    }

    /// The seeds of every layer's candidates.
    fn seeds(&self) -> impl Iterator<Item = u64> {
        let first = self.network.seed().wrapping_mul(self.candidates as u64);
        (0..self.candidates as u64).map(move |number| first.wrapping_add(number))
    }
}

impl GreedyStack {
    /// The network with the seeds that were chosen: a recipe like any other.
    #[must_use]
    pub fn network(&self) -> &RandomVgg {
        &self.network
    }

    /// Every candidate that was scored.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Whether every layer asked for was chosen, or the watcher stopped before.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

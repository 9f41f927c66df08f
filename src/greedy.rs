//! The greedy stack: a random network whose layers are chosen, one after another, by how well an
//! image comes back from them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, FileUse, Result, at_least_one};
use crate::file::{self, IfExists};
use crate::imaging::{Picture, Raster, Size};
use crate::invert::{InvertOptions, invert, reconstruction_error};
use crate::metrics::psnr;
use crate::network::{Layer, RandomVgg};
use crate::run::Control;

/// Chooses the weights of a network layer by layer: of several draws of a layer, above the layers
/// chosen so far, the one from which a reference picture comes back best.
///
/// A draw is scored by inverting the picture from the layer's activations, at one size from noise, and
/// comparing what came back where it was asked to agree:
///
/// ```text
/// score = sum (F(x) - F(picture))^2 / sum F(picture)^2
/// ```
///
/// (He, Wang and Hopcroft, NIPS 2016, section 2.2, by the loss itself; divided by the size of the
/// features, draws that are merely smaller have no advantage.) The candidates of a layer are the
/// seeds `n s` to `n s + n - 1` for a network of seed `s` and `n` candidates, so that stacks of
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

/// What determines the candidates and their scores.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    network: RandomVgg,
    /// Width, height and checksum of the reference.
    reference: (usize, usize, u32),
    candidates: usize,
    evaluations: usize,
}

/// What lies on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    settings: Settings,
    candidates: Vec<Candidate>,
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
    /// [`Error::InvalidOption`] for no candidates or evaluations or a report of other settings,
    /// [`Error::File`] for a report that cannot be understood, those of [`invert`].
    pub fn build(&self, observer: &mut dyn CandidateObserver) -> Result<GreedyStack> {
        let layers = self.layers()?;
        at_least_one("candidates", self.candidates)?;
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
            let missing: VecDeque<u64> = missing.collect();
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

    /// The report so far: that on disk, if there is one.
    fn resumed(&self, reference: &Raster) -> Result<Report> {
        let bytes: Vec<u8> = reference
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let size = reference.size();
        let settings = Settings {
            network: self.network.clone(),
            reference: (size.width, size.height, crc32fast::hash(&bytes)),
            candidates: self.candidates,
            evaluations: self.evaluations,
        };
        let empty = Report {
            settings,
            candidates: Vec::new(),
        };
        let Some(path) = &self.report else {
            return Ok(empty);
        };
        file::check(path, IfExists::Replace)?;
        if !path.exists() {
            return Ok(empty);
        }
        let report: Report = serde_json::from_slice(&file::read(path)?)
            .map_err(|source| Error::file(FileUse::Report, path, source))?;
        if report.settings != empty.settings {
            return Err(Error::option(
                format!("the report `{}`", path.display()),
                "of another network, reference, number of candidates or of evaluations",
                "one of the same",
            ));
        }
        Ok(report)
    }

    /// Scores draws of a layer, on all devices side by side; whether `take` asked to stop.
    fn score_all(
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

impl Report {
    fn knows(&self, layer: Layer, seed: u64) -> bool {
        self.of(layer).any(|candidate| candidate.seed == seed)
    }

    fn of(&self, layer: Layer) -> impl Iterator<Item = &Candidate> {
        let all = self.candidates.iter();
        all.filter(move |candidate| candidate.layer == layer)
    }

    /// The seed with the lowest score, of equal ones the first.
    fn best(&self, layer: Layer) -> Option<u64> {
        let order =
            |a: &&Candidate, b: &&Candidate| a.score.total_cmp(&b.score).then(a.seed.cmp(&b.seed));
        self.of(layer).min_by(order).map(|best| best.seed)
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| Error::file(FileUse::Report, path, source))?;
        file::write(path, &text, IfExists::Replace)
    }

    fn into_stack(self, network: RandomVgg, complete: bool) -> GreedyStack {
        GreedyStack {
            network,
            candidates: self.candidates,
            complete,
        }
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

//! Inversion: an image with the same features as a given one, from nothing but those features.

use std::time::Instant;

use burn::tensor::Tensor;
use derive_setters::Setters;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, all_finite, not_negative};
use crate::imaging::{Picture, Raster, Scales};
use crate::network::{Layer, Vgg};
use crate::run::{self, Identity, Observer, Outcome, RunOptions, RunPlan, run_setters};
use crate::terms::{smallest_side, with_content, with_total_variation};

/// Options of [`invert`].
///
/// Serde leaves the starting picture out: its pixels belong into a file of their own.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Setters)]
#[serde(default, deny_unknown_fields)]
#[setters(prefix = "with_", strip_option)]
#[non_exhaustive]
pub struct InvertOptions {
    /// Weight of the total variation, in units of the content loss. More removes the fine noise
    /// that deep layers do not see, and detail that they do. Default: a thousandth for each pixel
    /// of the layer's [stride](crate::network::LayerGeometry::stride).
    pub total_variation_weight: Option<f64>,
    /// The picture to start from, resized to the first scale. Default: none, that is noise.
    #[serde(skip)]
    #[setters(into)]
    pub start_picture: Option<Picture>,
    /// How long and through which sizes it runs.
    pub run: RunOptions,
}

run_setters!(InvertOptions);

impl InvertOptions {
    /// The method in its published form: the distance of features alone, at one size.
    #[must_use]
    pub fn paper() -> Self {
        Self::default()
            .with_total_variation_weight(0.0)
            .with_scales(Scales::Single)
    }
}

/// Evaluations where nothing else is asked for.
const EVALUATIONS: usize = 200;

/// Weight of the total variation for each pixel of a layer's stride. Of 0.001 to 0.03 at layers of
/// strides 1 to 16 this gave about the best of each (`docs/QUALITY.md`): the coarser a layer, the
/// more noise it does not see.
const VARIATION_PER_STRIDE: f64 = 0.001;

/// Reconstructs `picture` from its features at `layer`.
///
/// Minimises, from noise,
///
/// ```text
/// L = |F(x) - F(picture)|^2 / (2 N M)  +  c R(x)
/// ```
///
/// with `F` the features at the layer, `N` channels of `M` positions, and `R` the total variation. Its
/// small weight keeps out noise that the layer does not see. The result shows what the layer keeps of
/// an image: what is lost or invented in it, the layer ignores. (He, Wang and Hopcroft, NIPS 2016,
/// section 3.1.)
///
/// By default a run goes from coarse to fine. The features of reduced copies help then, and more of
/// the picture comes back than from those at full size alone. [`InvertOptions::paper`] leaves out both
/// the coarse scales and the total variation.
///
/// # Errors
///
/// Before any work:
///
/// - [`Error::InvalidOption`](crate::Error::InvalidOption) for options outside of what is allowed,
/// - [`Error::Shape`](crate::Error::Shape), [`Error::Channels`](crate::Error::Channels) or
///   [`Error::NotFinite`](crate::Error::NotFinite) for a picture that cannot be used,
/// - [`Error::ImageSize`](crate::Error::ImageSize) for a picture that is too small for the layer or,
///   with a fully connected layer, not 224x224,
/// - [`Error::UnknownLayer`](crate::Error::UnknownLayer) or [`Error::Tensor`](crate::Error::Tensor)
///   for a layer that the network does not have.
/// - [`Error::File`](crate::Error::File) or [`Error::OtherRun`](crate::Error::OtherRun) for a file that the
///   run cannot [go on](RunOptions::resume) from, and [`Error::Output`](crate::Error::Output) for a
///   [checkpoint](RunOptions::checkpoint) that cannot be written.
///
/// While it runs, until a picture was made: [`Error::Device`](crate::Error::Device) if the device fails, and
/// [`Error::NotFinite`](crate::Error::NotFinite) if the objective is not finite. Later the run ends with its
/// last picture, and [`Outcome::failure`] has the error.
pub fn invert(
    vgg: &Vgg,
    picture: impl Into<Picture>,
    layer: Layer,
    options: &InvertOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let begun = Instant::now();
    let run_options = RunOptions {
        evaluations: options.run.evaluations.or(Some(EVALUATIONS)),
        ..options.run.clone()
    };
    run_options.check()?;
    let variation = match options.total_variation_weight {
        Some(weight) => weight,
        None => {
            let extent = vgg.architecture().geometry(layer, vgg.padding())?;
            VARIATION_PER_STRIDE * extent.stride as f64
        }
    };
    not_negative("total variation weight", variation)?;
    let picture = picture.into();
    let formats = picture.formats();
    let picture = picture.read("the picture", vgg.channels())?;
    let size = picture.size();
    let minimum = smallest_side(vgg, &[layer], &[("the picture", size)])?;
    let halvings = run_options.scales.halvings(&[size], minimum);
    let sizes = size.octaves(halvings);
    let mean = picture.mean();
    let start = match &options.start_picture {
        Some(start) => start.read("the starting picture", vgg.channels())?,
        None => run_options.starting_noise(sizes[0], &mean),
    };
    let identity = Identity::of(vgg, "inversion", (options, &run_options), || {
        vec![
            ("the picture", picture.fingerprint()),
            ("the layer", layer.to_string()),
        ]
    });
    let plan = RunPlan {
        begun,
        identity,
        sizes,
        start,
        mean,
        formats,
        kept: None,
    };
    run::run(vgg, plan, &run_options, observer, |scale, objective| {
        let picture = picture.resized(size.halved(halvings - scale));
        let objective = with_content(objective, vgg, &picture, None, (layer, 1.0))?;
        Ok(with_total_variation(objective, variation))
    })
}

/// How far the features of `image` are from those of `picture`, both `[1, 3, H, W]`, at a layer:
///
/// ```text
/// |F(image) - F(picture)|^2 / |F(picture)|^2
/// ```
///
/// Zero where they agree, about 1 for an image that has nothing to do with the picture. The loss of
/// [`invert`], made comparable between layers and networks.
///
/// # Errors
///
/// Those of [`Vgg::features`], and [`Error::Shape`](crate::Error::Shape) for an image of another size than the picture,
/// [`Error::NotFinite`](crate::Error::NotFinite) for features that are not finite.
pub fn reconstruction_error(
    vgg: &Vgg,
    image: Tensor<4>,
    picture: Tensor<4>,
    layer: Layer,
) -> Result<f64> {
    if image.dims() != picture.dims() {
        return Err(Error::Shape {
            what: "the image of a reconstruction error".into(),
            found: image.dims().to_vec(),
            expected: format!("{:?}, as the picture", picture.dims()),
        });
    }
    let features = |image| Raster::from_tensor(vgg.features_at(image, layer)?);
    let (found, wanted) = (features(image)?, features(picture)?);
    all_finite("the features of the image", found.values())?;
    all_finite("the features of the picture", wanted.values())?;
    let (mut apart, mut size) = (0.0, 0.0);
    for (wanted, found) in wanted.values().iter().zip(found.values()) {
        apart += f64::from(found - wanted).powi(2);
        size += f64::from(*wanted).powi(2);
    }
    // Of a picture without features everything is a perfect reconstruction.
    Ok(if size > 0.0 { apart / size } else { apart })
}

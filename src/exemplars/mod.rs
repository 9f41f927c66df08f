//! What statistics are taken from: pictures, their shares, and where in the result they count.

mod sources;

pub(crate) use self::sources::{DeviceMixture, DeviceSource, HostMixture, Sources};
use self::sources::{Source, SourceMixture};
use crate::error::{Error, Result, positive};
use crate::imaging::Picture;

/// The pictures whose statistics a texture or style has: one, a mixture of several, or several each
/// in its own region.
///
/// ```
/// use image::DynamicImage;
/// use ranvgg::Exemplars;
///
/// let picture = || DynamicImage::new_rgb8(64, 64);
/// let (moss, stone, masonry) = (picture(), picture(), picture());
/// let (mask, left, right) = (picture(), picture(), picture());
///
/// let one = Exemplars::from(&moss);
/// let mixture = Exemplars::mixture([(&moss, 1.0), (&stone, 2.0)]);
/// let mortar = Exemplars::part(&masonry, &mask);
/// let side_by_side = Exemplars::regions([(mixture, &left), (mortar, &right)]);
/// ```
#[derive(Clone, Debug)]
pub struct Exemplars {
    mixtures: Vec<Mixture>,
    /// Whether a region was given regions.
    nested: bool,
}

/// Pictures that are mixed, and the mask of the region that they fill.
#[derive(Clone, Debug)]
struct Mixture {
    members: Vec<Member>,
    region: Option<Picture>,
}

/// A picture of a mixture, the mask of what counts of it, and its weight.
#[derive(Clone, Debug)]
struct Member {
    picture: Picture,
    mask: Option<Picture>,
    weight: f64,
}

impl<P: Into<Picture>> From<P> for Exemplars {
    fn from(picture: P) -> Self {
        Self::mixture([(picture, 1.0)])
    }
}

impl Exemplars {
    /// Several pictures, each with its weight.
    ///
    /// A mixture has the statistics of all its pictures side by side. Each has a share of the area
    /// in proportion to its weight: with two equal weights, half of the result comes from each.
    pub fn mixture<P: Into<Picture>>(pictures: impl IntoIterator<Item = (P, f64)>) -> Self {
        let members = pictures.into_iter().map(|(picture, weight)| Member {
            picture: picture.into(),
            mask: None,
            weight,
        });
        Self::of(members.collect())
    }

    /// The part of a picture that a mask of the same size shows white.
    pub fn part(picture: impl Into<Picture>, mask: impl Into<Picture>) -> Self {
        Self::of(vec![Member {
            picture: picture.into(),
            mask: Some(mask.into()),
            weight: 1.0,
        }])
    }

    /// Several exemplars, each where its mask is white in the result. Masks are resized to the result.
    ///
    /// Where masks overlap, the lightest one counts. Where all are darker than a middle grey, no
    /// statistics are asked of the result.
    pub fn regions<M: Into<Picture>>(regions: impl IntoIterator<Item = (Self, M)>) -> Self {
        let mut mixtures = Vec::new();
        let mut nested = false;
        for (exemplars, mask) in regions {
            let mask = mask.into();
            nested |= exemplars.nested;
            for mixture in exemplars.mixtures {
                nested |= mixture.region.is_some();
                mixtures.push(Mixture {
                    region: Some(mask.clone()),
                    ..mixture
                });
            }
        }
        Self { mixtures, nested }
    }

    fn of(members: Vec<Member>) -> Self {
        Self {
            mixtures: vec![Mixture {
                members,
                region: None,
            }],
            nested: false,
        }
    }

    /// Reads all of them, for a network that reads `channels`; `what` names them in messages.
    pub(crate) fn read(self, what: &str, channels: usize) -> Result<Sources> {
        if self.nested {
            return Err(Error::option(
                "regions",
                "within a region",
                "pictures, their parts and mixtures",
            ));
        }
        let mixtures: Result<Vec<_>> = self
            .mixtures
            .into_iter()
            .map(|mixture| mixture.read(what, channels))
            .collect();
        let mixtures = mixtures?;
        if mixtures.is_empty() {
            return Err(no_pictures());
        }
        Ok(Sources { mixtures })
    }
}

fn no_pictures() -> Error {
    Error::option("pictures", 0, "at least one")
}

impl Mixture {
    fn read(self, what: &str, channels: usize) -> Result<SourceMixture> {
        let mut members = Vec::new();
        for Member {
            picture,
            mask,
            weight,
        } in self.members
        {
            positive("the weight of a picture", weight)?;
            let formats = picture.formats();
            let raster = picture.read(what, channels)?;
            let mask = match mask {
                Some(mask) => Some(mask.read_region(&format!("the mask of {what}"))?),
                None => None,
            };
            if let Some(mask) = mask.as_ref().filter(|mask| mask.size() != raster.size()) {
                return Err(Error::Shape {
                    what: format!("the mask of {what}"),
                    found: vec![mask.size().height, mask.size().width],
                    expected: format!("[{}, {}]", raster.size().height, raster.size().width),
                });
            }
            members.push(Source {
                raster,
                formats,
                mask,
                share: weight,
            });
        }
        let sum: f64 = members.iter().map(|member| member.share).sum();
        for member in &mut members {
            member.share /= sum;
        }
        if members.is_empty() {
            return Err(no_pictures());
        }
        let region = match self.region {
            Some(mask) => Some(mask.read_region("the mask of a region")?),
            None => None,
        };
        Ok(SourceMixture { members, region })
    }
}

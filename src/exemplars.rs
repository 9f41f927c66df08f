//! What statistics are taken from: pictures, their shares, and where in the result they count.

use burn::tensor::{Device, Tensor};

use crate::error::{Error, Result, positive};
use crate::imaging::{Format, Picture, Raster, Size};

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
    groups: Vec<Group>,
    /// Whether a region was given regions.
    nested: bool,
}

/// Pictures that are mixed, and the mask of their region.
#[derive(Clone, Debug)]
struct Group {
    parts: Vec<Part>,
    region: Option<Picture>,
}

#[derive(Clone, Debug)]
struct Part {
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
    /// A mixture has the statistics of all its pictures side by side, each with a share of the area
    /// that is proportional to its weight: of two weighted equally, half of the result comes from
    /// each.
    pub fn mixture<P: Into<Picture>>(parts: impl IntoIterator<Item = (P, f64)>) -> Self {
        let parts = parts.into_iter().map(|(picture, weight)| Part {
            picture: picture.into(),
            mask: None,
            weight,
        });
        Self::of(parts.collect())
    }

    /// What a mask of the same size shows white of a picture.
    pub fn part(picture: impl Into<Picture>, mask: impl Into<Picture>) -> Self {
        Self::of(vec![Part {
            picture: picture.into(),
            mask: Some(mask.into()),
            weight: 1.0,
        }])
    }

    /// Several, each where its mask is white in the result; masks are resized to that.
    ///
    /// Where masks overlap, the lighter one counts; where all are darker than a middle grey,
    /// nothing is asked of the result.
    pub fn regions<M: Into<Picture>>(regions: impl IntoIterator<Item = (Self, M)>) -> Self {
        let mut groups = Vec::new();
        let mut nested = false;
        for (exemplars, mask) in regions {
            let mask = mask.into();
            nested |= exemplars.nested;
            for group in exemplars.groups {
                nested |= group.region.is_some();
                groups.push(Group {
                    region: Some(mask.clone()),
                    ..group
                });
            }
        }
        Self { groups, nested }
    }

    fn of(parts: Vec<Part>) -> Self {
        Self {
            groups: vec![Group {
                parts,
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
        let groups: Result<Vec<_>> = self
            .groups
            .into_iter()
            .map(|group| group.read(what, channels))
            .collect();
        let groups = groups?;
        if groups.is_empty() {
            return Err(no_pictures());
        }
        Ok(Sources { groups })
    }
}

fn no_pictures() -> Error {
    Error::option("pictures", 0, "at least one")
}

impl Group {
    fn read(self, what: &str, channels: usize) -> Result<SourceGroup> {
        let mut parts = Vec::new();
        for Part {
            picture,
            mask,
            weight,
        } in self.parts
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
            parts.push(Source {
                raster,
                formats,
                mask,
                share: weight,
            });
        }
        let sum: f64 = parts.iter().map(|part| part.share).sum();
        for part in &mut parts {
            part.share /= sum;
        }
        if parts.is_empty() {
            return Err(no_pictures());
        }
        let region = match self.region {
            Some(mask) => Some(mask.read_region("the mask of a region")?),
            None => None,
        };
        Ok(SourceGroup { parts, region })
    }
}

/// Pictures on the host, all that were read.
pub(crate) struct Sources {
    groups: Vec<SourceGroup>,
}

struct SourceGroup {
    parts: Vec<Source>,
    region: Option<Raster>,
}

struct Source {
    raster: Raster,
    formats: Vec<Format>,
    mask: Option<Raster>,
    /// Shares of a group add up to 1.
    share: f64,
}

/// The pictures of one region on a device, and the region's mask.
pub(crate) struct Given<'a> {
    pub(crate) parts: Vec<GivenPart<'a>>,
    pub(crate) region: Option<&'a Raster>,
}

/// A picture on a device, what counts of it, and its share.
pub(crate) struct GivenPart<'a> {
    pub(crate) picture: Tensor<4>,
    pub(crate) mask: Option<&'a Raster>,
    pub(crate) share: f64,
}

/// The pictures of one region on the host, and the region's mask.
pub(crate) struct Resized<'a> {
    pub(crate) parts: Vec<ResizedPart>,
    pub(crate) region: Option<&'a Raster>,
}

/// A picture on the host, what counts of it, and its share.
pub(crate) struct ResizedPart {
    pub(crate) picture: Raster,
    pub(crate) mask: Option<Raster>,
    pub(crate) share: f64,
}

impl Source {
    /// The picture at another size, and its mask with it.
    fn resized(&self, size: Size) -> (Raster, Option<Raster>) {
        let mask = self.mask.as_ref().map(|mask| mask.resized(size));
        (self.raster.resized(size), mask)
    }

    /// The mean colour where the mask is white.
    fn mean(&self) -> Vec<f32> {
        match &self.mask {
            Some(mask) => self.raster.mean_where(mask),
            None => self.raster.mean(),
        }
    }
}

impl Sources {
    fn all(&self) -> impl Iterator<Item = &Source> {
        self.groups.iter().flat_map(|group| &group.parts)
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = Size> {
        self.all().map(|source| source.raster.size())
    }

    /// The first, from which sizes and formats are taken where nothing else is said.
    fn first(&self) -> &Source {
        &self.groups[0].parts[0]
    }

    pub(crate) fn first_size(&self) -> Size {
        self.first().raster.size()
    }

    pub(crate) fn formats(&self) -> Vec<Format> {
        self.first().formats.clone()
    }

    /// The picture, where there is one alone, all of which counts everywhere.
    pub(crate) fn single(&self) -> Option<&Raster> {
        let first = self.first();
        let alone = self.all().count() == 1 && self.groups[0].region.is_none();
        (alone && first.mask.is_none()).then_some(&first.raster)
    }

    /// White where any region is, in a result of `size`; none where there is no mask of one.
    pub(crate) fn regions(&self, size: Size) -> Option<Raster> {
        let masks = self.groups.iter().map(|group| group.region.as_ref());
        let masks: Option<Vec<&Raster>> = masks.collect();
        let masks = masks?.into_iter().map(|mask| mask.resized(size));
        masks.reduce(|a, b| {
            Raster::from_pixels(size, |pixel| [a.values()[pixel].max(b.values()[pixel])])
        })
    }

    /// The mean colour of what counts, each region alike.
    pub(crate) fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.first().raster.channels()];
        for source in self.all() {
            let share = (source.share / self.groups.len() as f64) as f32;
            for (sum, value) in mean.iter_mut().zip(source.mean()) {
                *sum += share * value;
            }
        }
        mean
    }

    /// The standard deviation of colours, each picture alike.
    pub(crate) fn deviation(&self) -> f64 {
        let sum: f64 = self.all().map(|source| source.raster.deviation()).sum();
        sum / self.all().count().max(1) as f64
    }

    /// Each picture as `change` makes it.
    pub(crate) fn changed(mut self, change: impl Fn(&Raster) -> Raster) -> Self {
        let sources = self.groups.iter_mut().flat_map(|group| &mut group.parts);
        for source in sources {
            source.raster = change(&source.raster);
        }
        self
    }

    /// Each picture, and its mask, at the size that `to` gives for its own.
    pub(crate) fn brought_to(mut self, to: impl Fn(Size) -> Size) -> Self {
        let sources = self.groups.iter_mut().flat_map(|group| &mut group.parts);
        for source in sources {
            (source.raster, source.mask) = source.resized(to(source.raster.size()));
        }
        self
    }

    /// All of them on the host, a picture of some size brought to the size that `to` gives for it.
    pub(crate) fn resized(&self, to: impl Fn(Size) -> Size) -> Vec<Resized<'_>> {
        let part = |source: &Source| {
            let (picture, mask) = source.resized(to(source.raster.size()));
            ResizedPart {
                picture,
                mask,
                share: source.share,
            }
        };
        let groups = self.groups.iter().map(|group| Resized {
            parts: group.parts.iter().map(part).collect(),
            region: group.region.as_ref(),
        });
        groups.collect()
    }

    /// All of them halved so many times, on a device.
    pub(crate) fn halved(&self, octaves: usize, device: &Device) -> Vec<Given<'_>> {
        let given = self.groups.iter().map(|group| Given {
            parts: group
                .parts
                .iter()
                .map(|source| {
                    let small = source.raster.size().halved(octaves);
                    GivenPart {
                        picture: source.raster.resized(small).to_tensor(device),
                        mask: source.mask.as_ref(),
                        share: source.share,
                    }
                })
                .collect(),
            region: group.region.as_ref(),
        });
        given.collect()
    }
}

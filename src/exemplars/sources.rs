//! Exemplars that were read: pictures on the host, resized and sent to a device.

use burn::tensor::{Device, Tensor};

use crate::imaging::{Format, Raster, Size};

/// All exemplars on the host.
pub(crate) struct Sources {
    pub(super) mixtures: Vec<SourceMixture>,
}

/// The pictures of one region as they were read, and the region's mask.
pub(super) struct SourceMixture {
    pub(super) members: Vec<Source>,
    pub(super) region: Option<Raster>,
}

/// A picture that was read, what counts of it, and its share.
pub(super) struct Source {
    pub(super) raster: Raster,
    pub(super) formats: Vec<Format>,
    pub(super) mask: Option<Raster>,
    /// Shares of a mixture add up to 1.
    pub(super) share: f64,
}

/// The pictures of one region on a device, and the region's mask.
pub(crate) struct DeviceMixture<'a> {
    pub(crate) members: Vec<DeviceSource<'a>>,
    pub(crate) region: Option<&'a Raster>,
}

/// A picture on a device, what counts of it, and its share.
pub(crate) struct DeviceSource<'a> {
    pub(crate) picture: Tensor<4>,
    pub(crate) mask: Option<&'a Raster>,
    pub(crate) share: f64,
}

/// The pictures of one region on the host, and the region's mask.
pub(crate) struct HostMixture<'a> {
    pub(crate) members: Vec<HostSource>,
    pub(crate) region: Option<&'a Raster>,
}

/// A picture on the host, what counts of it, and its share.
pub(crate) struct HostSource {
    pub(crate) picture: Raster,
    pub(crate) mask: Option<Raster>,
    pub(crate) share: f64,
}

impl Source {
    /// The picture at another size, and its mask with it.
    fn resized(&self, size: Size) -> (Raster, Option<Raster>) {
        let mask = self.mask.as_ref().map(|mask| mask.resized_mask(size));
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
        self.mixtures.iter().flat_map(|mixture| &mixture.members)
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = Size> {
        self.all().map(|source| source.raster.size())
    }

    /// The first picture: the default of the result's size, and its format.
    fn first(&self) -> &Source {
        &self.mixtures[0].members[0]
    }

    pub(crate) fn first_size(&self) -> Size {
        self.first().raster.size()
    }

    pub(crate) fn formats(&self) -> Vec<Format> {
        self.first().formats.clone()
    }

    /// All pictures, masks, shares and regions in a line; see [`Raster::fingerprint`].
    pub(crate) fn fingerprint(&self) -> String {
        let line = |mixture: &SourceMixture| {
            let members = mixture.members.iter().map(|member| {
                let mask = member.mask.as_ref().map(Raster::fingerprint);
                let mask = mask.map_or_else(String::new, |mask| format!(" within {mask}"));
                format!("{} of {}{mask}", member.share, member.raster.fingerprint())
            });
            let members: Vec<String> = members.collect();
            let region = mixture.region.as_ref().map(Raster::fingerprint);
            let region = region.map_or_else(String::new, |region| format!(" in {region}"));
            members.join(" + ") + &region
        };
        let mixtures: Vec<String> = self.mixtures.iter().map(line).collect();
        mixtures.join(", ")
    }

    /// The picture, if there is only one, without a mask and without a region.
    pub(crate) fn single(&self) -> Option<&Raster> {
        let first = self.first();
        let alone = self.all().count() == 1 && self.mixtures[0].region.is_none();
        (alone && first.mask.is_none()).then_some(&first.raster)
    }

    /// Whether a mixture is for a region of its own.
    pub(crate) fn has_regions(&self) -> bool {
        self.mixtures.iter().any(|mixture| mixture.region.is_some())
    }

    /// A mask of `size` that is white in any region; none if a mixture has no region.
    pub(crate) fn regions(&self, size: Size) -> Option<Raster> {
        let masks = self.mixtures.iter().map(|mixture| mixture.region.as_ref());
        let masks: Option<Vec<&Raster>> = masks.collect();
        let masks = masks?.into_iter().map(|mask| mask.resized_mask(size));
        masks.reduce(|a, b| {
            Raster::from_pixels(size, |pixel| [a.values()[pixel].max(b.values()[pixel])])
        })
    }

    /// The mean colour of what counts; each region has the same weight.
    pub(crate) fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.first().raster.channels()];
        for source in self.all() {
            let share = (source.share / self.mixtures.len() as f64) as f32;
            for (sum, value) in mean.iter_mut().zip(source.mean()) {
                *sum += share * value;
            }
        }
        mean
    }

    /// The standard deviation of colours, the mean over pictures.
    pub(crate) fn deviation(&self) -> f64 {
        let sum: f64 = self.all().map(|source| source.raster.deviation()).sum();
        sum / self.all().count().max(1) as f64
    }

    /// The same with each picture replaced by what `change` makes of it.
    pub(crate) fn changed(mut self, change: impl Fn(&Raster) -> Raster) -> Self {
        let sources = self
            .mixtures
            .iter_mut()
            .flat_map(|mixture| &mut mixture.members);
        for source in sources {
            source.raster = change(&source.raster);
        }
        self
    }

    /// The same with each picture and its mask resized to the size that `to` gives for its own.
    pub(crate) fn resized_by(mut self, to: impl Fn(Size) -> Size) -> Self {
        let sources = self
            .mixtures
            .iter_mut()
            .flat_map(|mixture| &mut mixture.members);
        for source in sources {
            (source.raster, source.mask) = source.resized(to(source.raster.size()));
        }
        self
    }

    /// All of them on the host, each picture resized to the size that `to` gives for its own.
    pub(crate) fn resized(&self, to: impl Fn(Size) -> Size) -> Vec<HostMixture<'_>> {
        let member = |source: &Source| {
            let (picture, mask) = source.resized(to(source.raster.size()));
            HostSource {
                picture,
                mask,
                share: source.share,
            }
        };
        let mixtures = self.mixtures.iter().map(|mixture| HostMixture {
            members: mixture.members.iter().map(member).collect(),
            region: mixture.region.as_ref(),
        });
        mixtures.collect()
    }

    /// All of them halved so many times, on a device.
    pub(crate) fn halved(&self, octaves: usize, device: &Device) -> Vec<DeviceMixture<'_>> {
        let mixtures = self.mixtures.iter().map(|mixture| DeviceMixture {
            members: mixture
                .members
                .iter()
                .map(|source| {
                    let small = source.raster.size().halved(octaves);
                    DeviceSource {
                        picture: source.raster.resized(small).to_tensor(device),
                        mask: source.mask.as_ref(),
                        share: source.share,
                    }
                })
                .collect(),
            region: mixture.region.as_ref(),
        });
        mixtures.collect()
    }
}

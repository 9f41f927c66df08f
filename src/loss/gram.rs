//! Gram matrices of features, and their style loss.

use burn::tensor::Tensor;

use super::{ByBlocks, Gradient, Loss, Measured, Observation, OfMoments, check_channels, no_maps};
use crate::engine::sum_of_squares;
use crate::error::Result;

/// The Gram matrix of a feature map: the mean over positions of each product of two channels.
///
/// For features `F` of `N` channels at `M` positions
///
/// ```text
/// G = F F' / M                              F in R^(N x M), G in R^(N x N)
/// ```
///
/// It is divided by the number of positions, so exemplar and result may differ in size (the paper
/// has this factor in the loss). As a [`Loss`] it is the squared distance of a map's Gram matrix
/// from this one:
///
/// ```text
/// L = 1 / (4 N^2) * sum (G(F) - G)^2        dL/dF = (G(F) - G) F / (N^2 M)
/// ```
///
/// (Gatys, Ecker and Bethge, "Texture Synthesis Using Convolutional Neural Networks", NIPS 2015,
/// eqs. 3 to 5; He, Wang and Hopcroft, NIPS 2016, eq. 2.)
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use ranvgg::{Gram, loss::Loss};
///
/// // Two channels over two positions: (1, 0) and (1, 2). G = [[1, 0], [1, 2]] times its
/// // transpose, halved: [[0.5, 0.5], [0.5, 2.5]].
/// let map = Tensor::<4>::from_floats([[[[1., 0.]], [[1., 2.]]]], &Device::flex());
/// let gram = Gram::of(map.clone())?;
/// assert_eq!(gram.matrix().to_data().to_vec::<f32>().unwrap(), [0.5, 0.5, 0.5, 2.5]);
/// assert_eq!(gram.measure(&mut map.into(), 1.0)?.value.into_scalar::<f32>(), 0.0);
/// # }
/// # Ok::<(), ranvgg::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gram {
    matrix: Tensor<2>,
}

impl Gram {
    /// The Gram matrix of a map `[1, N, H, W]`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`](crate::Error::Device) if the map cannot be read.
    pub fn of(map: impl Into<Observation>) -> Result<Self> {
        let matrix = map.into().second_moment()?;
        Ok(Self { matrix })
    }

    /// The weighted mean of the Gram matrices of several maps. The weights are the `share`s.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) for no maps,
    /// [`Error::Shape`](crate::Error::Shape) for maps that differ in their channels,
    /// [`Error::Device`](crate::Error::Device) if one cannot be read.
    pub fn of_mixture<M: Into<Observation>>(
        parts: impl IntoIterator<Item = (M, f64)>,
    ) -> Result<Self> {
        let mut sum: Option<Tensor<2>> = None;
        for (map, share) in parts {
            let mut observation = map.into();
            if let Some(sum) = &sum {
                check_channels(&observation, "a mixture", sum.dims()[0])?;
            }
            let part = observation.second_moment()?.mul_scalar(share);
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let matrix = sum.ok_or_else(no_maps)?;
        Ok(Self { matrix })
    }

    /// The matrix, `[N, N]`.
    #[must_use]
    pub fn matrix(&self) -> &Tensor<2> {
        &self.matrix
    }
}

impl Loss for Gram {
    fn measure(&self, observation: &mut Observation, weight: f64) -> Result<Measured> {
        let [_, channels, height, width] = observation.dims();
        check_channels(observation, "a Gram matrix", self.matrix.dims()[0])?;
        let difference = observation.second_moment()? - self.matrix.clone();
        let squares = (channels * channels) as f64;
        let value = sum_of_squares(difference.clone()).mul_scalar(weight / (4.0 * squares));
        let factor = weight / (squares * (height * width) as f64);
        Ok(Measured {
            value,
            gradient: Gradient::matrix(difference.mul_scalar(factor)),
        })
    }

    fn by_blocks(&self) -> Option<Box<dyn ByBlocks + '_>> {
        Some(Box::new(OfMoments::new(self)))
    }
}

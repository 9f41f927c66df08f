//! The objective of style transfer: the style's term plus the content's.

use super::canvas::Canvas;
use super::{BANKS, Content, Resampled};

/// The target of style transfer at one size.
pub(crate) struct Painting {
    pub(crate) style: Resampled,
    pub(crate) content: Content,
    /// The content's weight; the style's is 1.
    pub(crate) weight: f64,
    /// The device that computes if it has kernels; the host does if not.
    #[cfg(feature = "cube")]
    pub(crate) device: burn::tensor::Device,
}

impl Painting {
    /// Returns the weighted terms of the style and the content, `D` and `a C`, and adds the gradient of
    /// their sum to `gradient`, `[H, W, C]`:
    ///
    /// ```text
    /// L = D + a C
    /// ```
    ///
    /// `D` is the [distance](Resampled::distance) of patches from the style's, `C` the
    /// [distance](Content::distance) of contours from the content's, and `a` the weight. The gradient is
    /// scaled as that of `D` is.
    pub(crate) fn distance(&self, image: Canvas<'_>, step: u32, gradient: &mut [f32]) -> [f64; 2] {
        let style = self.style.distance(image, step, gradient);
        if self.weight == 0.0 {
            return [style, 0.0];
        }
        // Gradients are sums over filters. The content's term has one bank, the style's has `BANKS`.
        let factor = (self.weight * BANKS as f64) as f32;
        let content = self
            .content
            .distance(&self.style, image, (step, factor), gradient);
        [style, self.weight * content]
    }
}

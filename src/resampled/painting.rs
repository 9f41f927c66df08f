//! The objective of style transfer: the style's term plus the content's.

use super::planes::Planes;
use super::{BANKS, Content, Resampled};

/// The target of style transfer at one size.
pub(crate) struct Painting {
    pub(crate) style: Resampled,
    pub(crate) content: Content,
    /// The content's weight; the style's is 1.
    pub(crate) weight: f64,
}

impl Painting {
    /// The weighted terms of the style and the content, `D` and `a C`, and the gradient of their sum:
    ///
    /// ```text
    /// L = D + a C
    /// ```
    ///
    /// `D` is the [distance](Resampled::distance) of patches from the style's, `C` the
    /// [distance](Content::distance) of contours from the content's, and `a` the weight. The gradient is
    /// scaled as that of `D` is.
    pub(crate) fn distance(&self, image: &Planes, step: u32) -> ([f64; 2], Planes) {
        if self.weight == 0.0 {
            let (value, gradient) = self.style.distance(image, step);
            return ([value, 0.0], gradient);
        }
        let ((style, mut gradient), (content, mut content_gradient)) = rayon::join(
            || self.style.distance(image, step),
            || self.content.distance(&self.style, image, step),
        );
        // Gradients are sums over filters. The content's term has one bank, the style's has `BANKS`.
        content_gradient.scale((self.weight * BANKS as f64) as f32);
        gradient.add(&content_gradient);
        ([style, self.weight * content], gradient)
    }
}

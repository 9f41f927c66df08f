//! A picture painted in a style: both terms together.

use super::planes::Planes;
use super::{BANKS, Content, Resampled};

/// The target of style transfer at one size.
pub(crate) struct Painting {
    pub(crate) style: Resampled,
    pub(crate) content: Content,
    /// Of the content beside the style.
    pub(crate) weight: f64,
}

impl Painting {
    /// The terms of the style and of the content, weighted, and the gradient:
    ///
    /// ```text
    /// L = D + a C
    /// ```
    ///
    /// with `D` the [distance](Resampled::distance) of patches from the style's and `C` that
    /// of [contours](Content::distance) from the content's; the gradient in the units of the former.
    pub(crate) fn distance(&self, image: &Planes, step: u32) -> ([f64; 2], Planes) {
        if self.weight == 0.0 {
            let (value, gradient) = self.style.distance(image, step);
            return ([value, 0.0], gradient);
        }
        let ((style, mut gradient), (content, mut of_content)) = rayon::join(
            || self.style.distance(image, step),
            || self.content.distance(&self.style, image, step),
        );
        // Both are sums over their filters; the content has those of one bank.
        of_content.scale((self.weight * BANKS as f64) as f32);
        gradient.add(&of_content);
        ([style, self.weight * content], gradient)
    }
}

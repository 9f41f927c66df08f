//! What a network is, as data: whether two networks compute the same.

use serde_json::{Value, json};

use super::Vgg;

impl Vgg {
    /// Architecture, pooling, padding, preprocessing and precision; and the recipe of random weights,
    /// or the CRC-32 of all convolutions' weights where there is none. Fully connected layers are left out
    /// of that sum: they hold nine tenths of the values, and come from the same file as the others.
    pub(crate) fn identity(&self) -> Value {
        let weights = match self.recipe() {
            Some(recipe) => json!(recipe),
            None => json!(format!("{:08x}", self.sum_of_weights())),
        };
        json!({
            "architecture": self.architecture(),
            "pooling": self.pooling(),
            "padding": self.padding(),
            "preprocessing": self.preprocessing(),
            "precision": self.precision(),
            "weights": weights,
        })
    }

    fn sum_of_weights(&self) -> u32 {
        let architecture = self.architecture();
        let blocks: Vec<_> = (1..=5)
            .flat_map(|block| architecture.block(block))
            .collect();
        let mut sum = crc32fast::Hasher::new();
        let convolutions = self.convolutions();
        for (_, _, parameters) in convolutions.filter(|(layer, ..)| blocks.contains(layer)) {
            let parameters = parameters.get();
            for values in [&parameters.weight[..], &parameters.bias[..]] {
                let bytes: Vec<u8> = values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                sum.update(&bytes);
            }
        }
        sum.finalize()
    }
}

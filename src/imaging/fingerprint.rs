//! Fingerprints of pictures: whether two inputs are the same.

use super::Raster;

impl Raster {
    /// Size, channels and the CRC-32 of all values: `64x48x3 9ae0daaf`.
    ///
    /// Two pictures of one size that differ have the same sum once in four billion. It is there to
    /// notice a mistake, not to resist an attack.
    pub(crate) fn fingerprint(&self) -> String {
        let mut sum = crc32fast::Hasher::new();
        let mut bytes = Vec::new();
        for values in self.values().chunks(1 << 14) {
            bytes.clear();
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            sum.update(&bytes);
        }
        let channels = self.channels();
        format!("{}x{channels} {:08x}", self.size(), sum.finalize())
    }
}

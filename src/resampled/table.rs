//! Tables of what is known of a picture's responses to the filters of a step.

use super::draw::BANK;

/// One entry for each bank, layer of labels, class and filter.
pub(super) struct Table<T> {
    pub(super) layers: usize,
    pub(super) classes: usize,
    /// Values of type `T` in one entry of the table.
    pub(super) width: usize,
    pub(super) data: Vec<T>,
}

impl<T: Copy> Table<T> {
    /// Values from an entry to that of the next class.
    pub(super) fn class_step(&self) -> usize {
        BANK * self.width
    }

    pub(super) fn start(&self, bank: usize, layer: usize, class: usize, filter: usize) -> usize {
        (((bank * self.layers + layer) * self.classes + class) * BANK + filter) * self.width
    }

    pub(super) fn at(&self, bank: usize, layer: usize, class: usize, filter: usize) -> &[T] {
        &self.data[self.start(bank, layer, class, filter)..][..self.width]
    }

    pub(super) fn at_mut(
        &mut self,
        bank: usize,
        layer: usize,
        class: usize,
        filter: usize,
    ) -> &mut [T] {
        let start = self.start(bank, layer, class, filter);
        &mut self.data[start..][..self.width]
    }

    /// The table of what `change` makes of single entries.
    pub(super) fn mapped<U: Copy>(&self, change: impl Fn(T) -> U) -> Table<U> {
        Table {
            layers: self.layers,
            classes: self.classes,
            width: self.width,
            data: self.data.iter().map(|value| change(*value)).collect(),
        }
    }

    /// Unites the entries of another table of the same shape with this one's.
    pub(super) fn united(self, other: &Self, unite: impl Fn(T, T) -> T) -> Self {
        let data = self.data.iter().zip(&other.data);
        Self {
            data: data.map(|(a, b)| unite(*a, *b)).collect(),
            ..self
        }
    }
}

/// Count, sum and sum of squares of values.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) count: u64,
    sum: f64,
    squares: f64,
}

impl Sums {
    pub(super) fn add(&mut self, values: &[f32]) {
        for chunk in values.chunks(256) {
            let (mut a, mut b) = (0.0, 0.0);
            for value in chunk {
                a += value;
                b += value * value;
            }
            self.sum += f64::from(a);
            self.squares += f64::from(b);
        }
        self.count += values.len() as u64;
    }

    pub(super) fn plus(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    pub(super) fn mean(&self) -> f32 {
        (self.sum / self.count.max(1) as f64) as f32
    }

    pub(super) fn standard_deviation(&self) -> f32 {
        let count = self.count.max(1) as f64;
        let mean = self.sum / count;
        (self.squares / count - mean * mean).max(1e-12).sqrt() as f32
    }
}

//! A set of positions of a feature map: gather and scatter.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};

use crate::engine::{channels_second, positions_by_channels};

/// A non-empty set of positions of feature maps of one size.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    /// Row-major indices.
    indices: Tensor<1, Int>,
    /// The same in host memory.
    list: Arc<Vec<i32>>,
    size: [usize; 2],
}

impl Positions {
    /// The positions that are true in `chosen`, in row-major order, for maps of `size`: height and
    /// width. `None` if there are none.
    pub(crate) fn of(chosen: &[bool], size: [usize; 2], device: &Device) -> Option<Self> {
        let indices: Vec<i32> = (0..)
            .zip(chosen)
            .filter_map(|(index, chosen)| chosen.then_some(index))
            .collect();
        Self::listed(indices, size, device)
    }

    fn listed(indices: Vec<i32>, size: [usize; 2], device: &Device) -> Option<Self> {
        let count = indices.len();
        (count > 0).then(|| Self {
            indices: Tensor::from_data(TensorData::new(indices.clone(), [count]), device),
            list: Arc::new(indices),
            size,
        })
    }

    /// The positions inside a rectangle, as positions of that rectangle, and their numbers among all
    /// positions. `None` if there are none.
    pub(crate) fn within(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Option<(Self, Vec<usize>)> {
        let width = self.size[1];
        let first = self
            .list
            .partition_point(|index| (*index as usize) < rows.start * width);
        let (mut indices, mut numbers) = (Vec::new(), Vec::new());
        for (number, index) in self.list.iter().enumerate().skip(first) {
            let (row, column) = (*index as usize / width, *index as usize % width);
            if row >= rows.end {
                break;
            }
            if columns.contains(&column) {
                let own = (row - rows.start) * columns.len() + column - columns.start;
                indices.push(own as i32);
                numbers.push(number);
            }
        }
        let size = [rows.len(), columns.len()];
        let positions = Self::listed(indices, size, &self.indices.device())?;
        Some((positions, numbers))
    }

    /// The positions among these columns of a map of one row, as positions of the list of columns, and
    /// their numbers among all positions. `None` if there are none.
    pub(crate) fn among(&self, columns: &[usize]) -> Option<(Self, Vec<usize>)> {
        let (mut indices, mut numbers) = (Vec::new(), Vec::new());
        for (own, column) in (0..).zip(columns) {
            if let Ok(number) = self.list.binary_search(&(*column as i32)) {
                indices.push(own);
                numbers.push(number);
            }
        }
        let positions = Self::listed(indices, [1, columns.len()], &self.indices.device())?;
        Some((positions, numbers))
    }

    /// The number of positions.
    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// Height and width of the maps.
    pub(crate) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The features of a map `[1, N, H, W]` at these positions, `[1, N, 1, count]`.
    pub(crate) fn gather(&self, map: Tensor<4>) -> Tensor<4> {
        let channels = map.dims()[1];
        let chosen = positions_by_channels(map).select(0, self.indices.clone());
        channels_second(chosen.reshape([1, 1, self.count(), channels]))
    }

    /// A map `[1, N, H, W]` with the features `[1, N, 1, count]` at these positions, and zero
    /// elsewhere.
    pub(crate) fn scatter(&self, values: Tensor<4>) -> Tensor<4> {
        let channels = values.dims()[1];
        let [height, width] = self.size;
        let options = (&values.device(), values.dtype());
        let map = Tensor::<2>::zeros([height * width, channels], options).select_assign(
            0,
            self.indices.clone(),
            positions_by_channels(values),
            IndexingUpdateOp::Add,
        );
        channels_second(map.reshape([1, height, width, channels]))
    }
}

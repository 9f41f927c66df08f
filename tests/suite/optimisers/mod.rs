//! Optimisers on classic problems, and on functions that are made to break them.

mod classic;
mod dual;
mod hostile;
mod problems;

use burn::tensor::{DType, Tensor, TensorData};

use crate::common::flex;

fn vector(values: &[f64], dtype: DType) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&flex(), dtype))
}

fn host(tensor: Tensor<1>) -> Vec<f64> {
    tensor.try_into_vec_as().unwrap()
}

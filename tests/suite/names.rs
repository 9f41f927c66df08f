//! Names that are read and written, and types that go from thread to thread.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ranvgg::objective::Objective;
use ranvgg::optim::Adam;
use ranvgg::{
    Colours, Error, Exemplars, InvertOptions, Lbfgs, Outcome, Padding, Picture, Pooling, Precision,
    RandomVgg, RunOptions, Statistics, StyleOptions, TextureOptions, Vgg,
};

fn read_back<T: Display + FromStr<Err = Error> + PartialEq + Debug>(values: &[T]) {
    for value in values {
        assert_eq!(value.to_string().parse::<T>().unwrap(), *value);
    }
    let Err(Error::InvalidOption { allowed, .. }) = "velvet".parse::<T>() else {
        panic!("velvet was read");
    };
    for value in values {
        assert!(allowed.contains(&value.to_string()), "{allowed}");
    }
    assert_eq!(allowed.split(", ").count(), values.len(), "{allowed}");
}

#[test]
fn every_name_reads_back_and_an_unknown_one_lists_them() {
    use ranvgg::{Colours as C, Padding as P, Statistics as S};
    read_back(&[P::Zero, P::Reflect, P::Replicate, P::Circular]);
    read_back(&[Pooling::Average, Pooling::Max]);
    read_back(&[Precision::Single, Precision::Plain, Precision::Half]);
    read_back(&[C::Style, C::Matched, C::Luminance]);
    let statistics = [S::Gram, S::Moments, S::Whitened, S::Distributions];
    read_back(&[&statistics[..], &[S::Resampled]].concat());
    assert_eq!(Padding::Circular.to_string(), "circular");
    assert_eq!(Statistics::Resampled.to_string(), "resampled");
    assert_eq!("matched".parse::<Colours>().unwrap(), Colours::Matched);
}

#[test]
fn whatever_a_run_needs_goes_to_another_thread() {
    fn sent<T: Send + Sync>() {}
    sent::<Vgg>();
    sent::<RandomVgg>();
    sent::<Outcome>();
    sent::<Picture>();
    sent::<Exemplars>();
    sent::<TextureOptions>();
    sent::<StyleOptions>();
    sent::<InvertOptions>();
    sent::<RunOptions>();
    sent::<Adam>();
    sent::<Error>();
    fn moved<T: Send>() {}
    moved::<Lbfgs>();
    moved::<Objective>();
}

//! Names that are read and written, and types that go from thread to thread.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ranvgg::device::DeviceInfo;
use ranvgg::imaging::Limits;
use ranvgg::network::{Features, Preprocessing, Trace};
use ranvgg::objective::Objective;
use ranvgg::optim::{Adam, AdamOptions, LbfgsOptions, LbfgsState};
use ranvgg::run::{Preparation, Record};
use ranvgg::{
    Architecture, Candidate, Colours, Error, Exemplars, Gram, GreedyStack, GreedyStackBuilder,
    IfExists, Inpainting, InvertOptions, Lbfgs, Outcome, Padding, Picture, Pooling, Precision,
    Progress, RandomVgg, RunOptions, Statistics, StyleOptions, StyleStart, TextureOptions, Vgg,
    WeightFile,
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
    use ranvgg::device::DeviceClass as D;
    use ranvgg::{Architecture as A, Colours as C, Padding as P, Statistics as S};
    read_back(&[A::Vgg16, A::Vgg19, A::AlexNet]);
    read_back(&[P::Zero, P::Reflect, P::Replicate, P::Circular]);
    read_back(&[Pooling::Average, Pooling::Max]);
    read_back(&[Precision::Single, Precision::Plain, Precision::Half]);
    read_back(&[C::Style, C::Matched, C::Luminance]);
    read_back(&[StyleStart::Content, StyleStart::Noise]);
    read_back(&[IfExists::Refuse, IfExists::Replace]);
    let statistics = [S::Gram, S::Moments, S::Whitened, S::Distributions];
    read_back(&[&statistics[..], &[S::Resampled]].concat());
    let gpus = [
        D::DiscreteGpu,
        D::IntegratedGpu,
        D::VirtualGpu,
        D::SoftwareGpu,
    ];
    read_back(&[&gpus[..], &[D::Cpu, D::Other]].concat());
    assert_eq!(Architecture::AlexNet.to_string(), "alexnet");
    assert_eq!(Padding::Circular.to_string(), "circular");
    assert_eq!(Statistics::Resampled.to_string(), "resampled");
    assert_eq!(D::SoftwareGpu.to_string(), "software-gpu");
    assert_eq!("matched".parse::<Colours>().unwrap(), Colours::Matched);
}

/// What serde writes of a named option is the name that a command line takes.
#[test]
fn serde_uses_the_same_names() {
    fn written(value: impl serde::Serialize) -> String {
        serde_json::to_string(&value)
            .unwrap()
            .trim_matches('"')
            .to_owned()
    }
    for architecture in Architecture::ALL {
        assert_eq!(written(architecture), architecture.to_string());
    }
    for padding in Padding::ALL {
        assert_eq!(written(padding), padding.to_string());
    }
    assert_eq!(
        written(Statistics::Whitened),
        Statistics::Whitened.to_string()
    );
    assert_eq!(written(Colours::Luminance), Colours::Luminance.to_string());
    assert_eq!(written(StyleStart::Noise), StyleStart::Noise.to_string());
    assert_eq!(written(IfExists::Replace), IfExists::Replace.to_string());
    assert_eq!(written(Pooling::Max), Pooling::Max.to_string());
    assert_eq!(written(Precision::Half), Precision::Half.to_string());
}

/// Whatever a program may want to send to another thread, or to share with it.
#[test]
fn types_go_from_thread_to_thread() {
    fn shared<T: Send + Sync>() {}
    // Networks, and what they are made of.
    shared::<Vgg>();
    shared::<RandomVgg>();
    shared::<WeightFile>();
    shared::<Preprocessing>();
    shared::<Features>();
    shared::<Trace>();
    // Inputs and outputs.
    shared::<Picture>();
    shared::<Exemplars>();
    shared::<Inpainting>();
    shared::<Outcome>();
    shared::<Record>();
    shared::<Error>();
    // Options.
    shared::<RunOptions>();
    shared::<InvertOptions>();
    shared::<TextureOptions>();
    shared::<StyleOptions>();
    shared::<LbfgsOptions>();
    shared::<AdamOptions>();
    shared::<Limits>();
    // What observers are told.
    shared::<Preparation>();
    shared::<Progress<'_>>();
    shared::<Candidate>();
    // Parts.
    shared::<Adam>();
    shared::<LbfgsState>();
    shared::<GreedyStackBuilder>();
    shared::<GreedyStack>();
    shared::<Gram>();
    shared::<DeviceInfo>();
    fn sent<T: Send>() {}
    sent::<Lbfgs>();
    sent::<Objective>();
}

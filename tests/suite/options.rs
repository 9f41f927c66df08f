//! Options as settings: setters, what serde writes and reads, and what it refuses.

use crate::common::flex;
use image::DynamicImage;
use std::fmt::Debug;
use std::time::Duration;

use ranvgg::imaging::Limits;
use ranvgg::optim::{AdamOptions, LbfgsOptions, LbfgsSettings};
use ranvgg::{
    Colours, Error, InvertOptions, RandomVgg, RunOptions, Scales, Size, Statistics, StyleOptions,
    StyleStart, TextureOptions, synthesize_texture, transfer_style,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn run() -> RunOptions {
    RunOptions::default()
        .with_seed(7)
        .with_evaluations(12)
        .with_time_limit(Duration::from_millis(1500))
        .with_scales(Scales::Single)
        .with_bounds((0.0, 1.0))
        .with_lbfgs(LbfgsSettings::default().with_history(3))
}

#[test]
fn settings_are_read_back() {
    fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
        assert_eq!(read_back(value), *value);
    }
    same(&run());
    same(
        &LbfgsOptions::default()
            .with_evaluations(5)
            .with_first_step(0.5),
    );
    same(&AdamOptions::default().with_beta1(0.8));
    same(&Limits::default().with_side(100));
    // Options that may hold pictures do not compare; what they hold beside those does.
    let texture = read_back(
        &TextureOptions::default()
            .with_statistics(Statistics::Gram)
            .with_layers(["conv1_1".parse().unwrap()])
            .with_size(Size::new(30, 20))
            .with_run(run()),
    );
    assert_eq!(texture.statistics, Statistics::Gram);
    assert_eq!(texture.layers.unwrap()[0].to_string(), "conv1_1");
    assert_eq!(texture.size, Some(Size::new(30, 20)));
    assert_eq!(texture.run, run());
    let style = read_back(
        &StyleOptions::default()
            .with_colours(Colours::Matched)
            .with_start(StyleStart::Noise)
            .with_content_weight(0.5),
    );
    assert_eq!(
        (style.colours, style.start),
        (Colours::Matched, StyleStart::Noise)
    );
    assert_eq!(style.content_weight, Some(0.5));
    let inversion = read_back(&InvertOptions::paper());
    assert_eq!(inversion.total_variation_weight, Some(0.0));
    assert_eq!(inversion.run.scales, Scales::Single);
}

#[test]
fn absent_settings_are_defaults_and_unknown_ones_are_refused() {
    let texture: TextureOptions =
        serde_json::from_str(r#"{"periods": false, "run": {"seed": 3}}"#).unwrap();
    assert!(!texture.periods && texture.every_octave);
    assert_eq!(texture.run, RunOptions::default().with_seed(3));
    for wrong in [r#"{"perods": false}"#, r#"{"run": {"sead": 3}}"#] {
        assert!(
            serde_json::from_str::<TextureOptions>(wrong).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn shortcuts_set_the_options_of_the_run() {
    let limit = Duration::from_secs(9);
    let texture = TextureOptions::default()
        .with_seed(4)
        .with_evaluations(5)
        .with_time_limit(limit)
        .with_scales(Scales::Single);
    let expected = RunOptions::default()
        .with_seed(4)
        .with_evaluations(5)
        .with_time_limit(limit)
        .with_scales(Scales::Single);
    assert_eq!(texture.run, expected);
    assert_eq!(InvertOptions::default().with_seed(4).run.seed, 4);
    assert_eq!(StyleOptions::default().with_seed(4).run.seed, 4);
}

#[test]
fn sizes_beyond_all_memory_are_refused() {
    let vgg = RandomVgg::vgg19().init(&flex()).unwrap();
    let picture = DynamicImage::new_rgb8(64, 64);
    for scale in [1e9, 1e30] {
        let texture = TextureOptions::default().with_exemplar_scale(scale);
        let style = StyleOptions::default().with_style_scale(scale);
        let size = Size::square(64);
        let results = [
            synthesize_texture(&vgg, picture.clone(), &texture.with_size(size), &mut ()),
            transfer_style(&vgg, picture.clone(), picture.clone(), &style, &mut ()),
        ];
        for result in results {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
            assert!(error.to_string().contains("65536"), "{error}");
        }
    }
}

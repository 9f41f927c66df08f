//! What the tasks refuse before any work.

use super::{run, whitened, whitened_style};
use crate::common::{bundled, flex, gpu_device, layer, network};
use burn::tensor::Device;
use ranvgg::error::ImageReason;
use ranvgg::{
    Error, InvertOptions, Outcome, Padding, RandomVgg, Scales, Size, Statistics, StyleOptions,
    TextureOptions, Vgg, device, invert, synthesize_texture, transfer_style,
};

#[test]
fn options_out_of_range_are_refused_by_name() {
    let (vgg, gravel) = (network(), bundled("gravel.png", 64));
    let texture = |options: TextureOptions| synthesize_texture(&vgg, &gravel, &options, &mut ());
    let default = whitened;
    let named = |result: ranvgg::Result<ranvgg::Outcome>, expected: &str| match result {
        Err(Error::InvalidOption { name, .. }) => assert_eq!(name, expected),
        other => panic!("{expected}: {:?}", other.map(|_| ())),
    };
    named(texture(default().with_run(run(0))), "evaluations");
    let size = Size::new(0, 64);
    named(
        texture(default().with_size(size)),
        "the width of the result",
    );
    named(texture(default().with_layers([])), "layers");
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let options = default().with_total_variation_weight(weight);
        named(texture(options), "total variation weight");
    }
    let run = run(3).with_noise(-0.1);
    named(texture(default().with_run(run)), "noise");
    let run = self::run(3).with_bounds((1.0, 0.0));
    named(texture(default().with_run(run)), "bounds");
    let mut run = self::run(3);
    run.lbfgs.history = 0;
    named(texture(default().with_run(run)), "history");
    let scales = Scales::Octaves {
        most: 0,
        smallest: 48,
    };
    let run = self::run(3).with_scales(scales);
    named(texture(default().with_run(run)), "octaves");
    let style = |options: StyleOptions| transfer_style(&vgg, &gravel, &gravel, &options, &mut ());
    let default = whitened_style;
    named(style(default().with_style_weight(0.0)), "style weight");
    named(style(default().with_content_weight(-1.0)), "content weight");
    named(style(default().with_style_scale(0.0)), "style scale");
}

/// The side of the smallest image whose first map, 64 channels of 4 bytes, fits into no buffer of the GPU here, which
/// may have none.
fn beyond_a_buffer() -> Option<(Device, usize)> {
    let (name, device) = gpu_device()?;
    let mut listed = device::list().into_iter();
    let info = listed.find(|info| info.name.starts_with(&name)).unwrap();
    let buffer = info.largest_buffer.unwrap();
    // A real GPU's is too large for a test.
    let side = ((buffer / 256) as f64).sqrt() as usize + 1;
    (side < 1000).then_some((device, side))
}

/// The cheapest run of that size.
fn one_layer(vgg: &Vgg, side: usize) -> ranvgg::Result<Outcome> {
    let exemplar = bundled("gravel.png", 64);
    let options = whitened()
        .with_statistics(Statistics::Gram)
        .with_layers([layer("conv1_1")])
        .with_colour_weight(0.0)
        .with_size(Size::new(side, side))
        .with_run(run(2).with_scales(Scales::Single));
    synthesize_texture(vgg, &exemplar, &options, &mut ())
}

#[test]
fn maps_too_large_for_a_buffer_of_the_device_are_computed_in_blocks() {
    let Some((device, side)) = beyond_a_buffer() else {
        return;
    };
    let losses = |device: &Device| {
        let vgg = RandomVgg::vgg19().init(device).unwrap();
        let outcome = one_layer(&vgg, side).unwrap();
        assert_eq!(outcome.failure().map(ToString::to_string), None);
        assert_eq!(outcome.evaluations(), 2);
        outcome.records().last().unwrap().loss()
    };
    let (in_blocks, whole) = (losses(&device), losses(&flex()));
    assert!(
        (in_blocks / whole - 1.0).abs() < 1e-3,
        "{in_blocks} {whole}"
    );
}

#[test]
fn axes_that_cannot_be_divided_are_refused_where_no_buffer_holds_their_maps() {
    let Some((device, side)) = beyond_a_buffer() else {
        return;
    };
    let vgg = RandomVgg::vgg19()
        .with_padding(Padding::Circular)
        .init(&device)
        .unwrap();
    let deep = whitened()
        .with_layers([layer("conv2_1")])
        .with_size(Size::new(side | 1, side | 1));
    let error = synthesize_texture(&vgg, bundled("gravel.png", 64), &deep, &mut ()).unwrap_err();
    let Error::ImageSize {
        width,
        reason: ImageReason::TooLarge { map, largest },
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(width, side | 1);
    assert!(map > largest, "{map} {largest}");
}

#[test]
fn pictures_too_small_are_refused_by_name() {
    let vgg = network();
    let (one, small) = (bundled("gravel.png", 1), bundled("gravel.png", 24));
    let error = synthesize_texture(&vgg, &one, &whitened(), &mut ()).unwrap_err();
    assert!(
        matches!(&error, Error::ImageSize { what, reason: ImageReason::TooSmall { .. }, .. } if what == "the exemplar"),
        "{error}"
    );
    let deep = whitened().with_layers([layer("conv5_1")]);
    let error = synthesize_texture(&vgg, &small, &deep, &mut ()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::ImageSize {
                reason: ImageReason::TooSmall { minimum: 32 },
                ..
            }
        ),
        "{error}"
    );
    let error = invert(
        &vgg,
        &small,
        layer("conv5_1"),
        &InvertOptions::default(),
        &mut (),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::ImageSize {
                reason: ImageReason::TooSmall { .. },
                ..
            }
        ),
        "{error}"
    );
    let error = invert(
        &vgg,
        &small,
        layer("fc6"),
        &InvertOptions::default(),
        &mut (),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::ImageSize {
                reason: ImageReason::Fixed { side: 224 },
                ..
            }
        ),
        "{error}"
    );
    let error = transfer_style(&vgg, &small, &one, &whitened_style(), &mut ());
    assert!(
        error.is_ok(),
        "a style of one pixel is resized: {:?}",
        error.err()
    );
}

#[test]
fn a_picture_that_holds_nan_is_refused() {
    let nan = burn::tensor::Tensor::<4>::full([1, 3, 64, 64], f32::NAN, &flex());
    let error = synthesize_texture(&network(), nan, &whitened(), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
}

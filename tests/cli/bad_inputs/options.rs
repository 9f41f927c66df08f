//! Values of flags: zero, negative, not finite, huge, unknown, misspelt, and at odds with one another.

use crate::picture;

use super::{bad, bad_words, check, good};

#[test]
fn numbers_beyond_what_is_allowed_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "a.png");
    let mut cases = Vec::new();
    // Whole numbers, each flag with what it allows.
    for (flag, allowed) in [
        ("texture --size", "1 to 16384"),
        ("texture --in-size", "1 to 16384"),
        ("texture --scales", "from 1 to 15"),
        ("texture --evaluations", "from 1 to 1000000"),
        ("texture --variations", "1..=1000"),
        ("invert --evaluations", "from 1 to 1000000"),
        ("style --size", "1 to 16384"),
        ("maps a.png --size", "1 to 16384"),
        ("network choose --candidates", "from 1 to 10000"),
        ("network choose --evaluations", "from 1 to 1000000"),
        ("network choose --in-size", "1 to 16384"),
        ("resume a.png --evaluations", "from 1 to 1000000"),
        ("time --size", "from 1 to 16384"),
        ("time --runs", "from 1 to 100000"),
    ] {
        for value in ["0", "-1", "1.5", "NaN", "9223372036854775808", "1e400"] {
            let mut says = vec![value];
            // The parser's own range is not told of what is no number at all.
            if !allowed.contains("..=") || value == "0" {
                says.push(allowed);
            }
            cases.push(bad(&format!("{flag}={value}"), &says));
        }
    }
    for flag in [
        "texture --seed",
        "texture --network-seed",
        "maps a.png --seed",
        "network choose --network-seed",
        "network recipe --network-seed",
    ] {
        for value in ["-1", "1e3", "NaN", "18446744073709551616"] {
            cases.push(bad(&format!("{flag}={value}"), &[value, "seed <N>"]));
        }
    }
    // Numbers with a fraction.
    for (flag, allowed) in [
        ("texture --tv-weight", "finite number from 0 up"),
        ("texture --nearest-weight", "finite number from 0 up"),
        ("texture --colour-weight", "finite number from 0 up"),
        ("texture --bias-sigma", "finite number from 0 up"),
        ("texture --exemplar-scale", "factor from 0.01 to 100"),
        ("texture --seconds", "number of seconds above 0"),
        ("texture --checkpoint-every", "number of seconds above 0"),
        ("texture --weights", "finite number above 0"),
        ("style --content-weight", "finite number from 0 up"),
        ("style --style-weight", "finite number above 0"),
        ("style --style-scale", "factor from 0.01 to 100"),
        ("maps a.png --nearest-weight", "finite number from 0 up"),
        ("network recipe --bias-sigma", "finite number from 0 up"),
    ] {
        for value in ["-1", "NaN", "inf", "1e400", "one"] {
            let value_said = format!("`{value}`");
            cases.push(bad(&format!("{flag}={value}"), &[&value_said, allowed]));
        }
    }
    cases.push(bad(
        "texture --seconds 1e-300 --device flex",
        &["--seconds", "above 0"],
    ));
    cases.push(bad(
        "texture --seed 18446744073709551615 --variations 3",
        &[
            "--seed is 18446744073709551615",
            "--variations 3",
            "18446744073709551613",
        ],
    ));
    cases.push(bad("texture --watch=65536", &["65536", "0..=65535"]));
    cases.push(bad("texture --size 10x-3", &["`-3`", "1 to 16384"]));
    check("numbers", folder.path(), &cases);
}

/// What is allowed by itself may still be more than a machine has.
#[test]
fn sizes_that_do_not_fit_into_memory_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    image::GrayImage::new(64, 1)
        .save(folder.join("row.png"))
        .unwrap();
    let rest = "--device flex --evaluations 1 -o made.png";
    let cases = [
        bad(
            &format!("texture --size 16384 --statistics gram {rest}"),
            &["a result of 16384x16384", "GiB", "free"],
        ),
        bad(
            &format!("style --size 16384 --memory 1G {rest}"),
            &["--memory", "1000000000", "for a result of 16384x16384"],
        ),
        bad(
            &format!("texture a.png --in-size 16384 {rest}"),
            &[
                "--in-size",
                "16384x16384",
                "3072 MiB; allowed: up to 1024 MiB",
            ],
        ),
        bad(
            &format!("invert a.png --in-size 16384x10000 {rest}"),
            &["--in-size", "1024 MiB"],
        ),
        bad(
            &format!("texture a.png --size 64 --exemplar-scale 100 --in-size 2048 {rest}"),
            &["an exemplar of 204800x204800", "GiB"],
        ),
        bad(
            &format!("style a.png row.png --size 64 --style-scale 100 {rest}"),
            &["a style of 409600x6400", "GiB"],
        ),
        bad(
            &format!("network choose a.png --in-size 9000 {rest}"),
            &["9000x9000", "GiB"],
        ),
        bad(
            "time --size 16384 --runs 1 --device flex",
            &["an image of 16384x16384", "GiB"],
        ),
        good(&format!("texture a.png --size 1 {rest}")),
        good(&format!(
            "texture a.png --size 1x99 --exemplar-scale 0.01 {rest}"
        )),
    ];
    check("sizes", folder, &cases);
}

#[test]
fn names_are_refused_with_those_that_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    picture(folder, "a_height.png");
    let cases = [
        bad("textur", &["textur", "'texture'"]),
        bad("texture --sed 1", &["--sed", "'--seed'"]),
        bad("network chose", &["chose", "'choose'"]),
        bad("devices more", &["'more'"]),
        bad("time more", &["'more'"]),
        bad("completions", &["<SHELL>"]),
        bad("completions tcsh", &["tcsh", "bash", "fish"]),
        bad("man", &["<DIR>"]),
        bad("again", &["<PICTURE>"]),
        bad("resume", &["<CHECKPOINT>"]),
        bad("maps", &["<FOLDER|FILES>"]),
        bad("texture --layers conv1_1,conv5_9", &["conv5_9", "conv5_1"]),
        bad("invert --layer conv9_9", &["conv9_9", "conv1_1"]),
        bad("style --content-layer conv9_9 --device flex", &["conv9_9"]),
        bad("network export --up-to conv9_9", &["conv9_9"]),
        bad("network choose --up-to pool9", &["pool9", "pool1"]),
        bad(
            "texture --network vgg13",
            &["vgg13", "vgg16, vgg19, alexnet"],
        ),
        bad("texture --padding mirror", &["mirror", "reflect"]),
        bad("texture --pooling median", &["median", "average"]),
        bad("texture --statistics mode", &["mode", "gram"]),
        bad("style --colours grey", &["grey", "luminance"]),
        bad("invert --precision double", &["double", "single", "half"]),
        bad(
            "texture --precision half --device flex",
            &["--precision", "half", "flex"],
        ),
        bad("time --padding circular", &["circular", "zero", "reflect"]),
        bad("maps a_height.png --also gif", &["gif"]),
        bad("maps a_height.png --normals up", &["up", "dx"]),
        bad("maps a_height.png --name ../up", &["--name", "../up"]),
        bad("texture --device quantum", &["quantum", "flex", "wgpu"]),
        bad("texture --device flex:7", &["flex:7", "counted from 0"]),
        bad("texture --device flex:-1", &["flex:-1", "known names"]),
        bad(
            "texture --device flex:18446744073709551616",
            &["known names"],
        ),
        bad("time --device quantum", &["quantum", "flex"]),
        bad(
            "network choose --device flex,quantum -o made.json",
            &["quantum", "flex"],
        ),
        bad(
            "network choose --device , -o made.json",
            &["unknown device ``"],
        ),
        bad_words(vec!["texture".into(), "".into()], &["[PICTURE]"]),
        bad_words(
            vec!["texture".into(), "--layers".into(), "".into()],
            &["unknown layer ``"],
        ),
    ];
    check("names", folder, &cases);
}

#[test]
fn flags_that_do_not_go_together_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    image::GrayImage::new(9, 9)
        .save(folder.join("small.png"))
        .unwrap();
    let cases = [
        bad(
            "texture a.png --weights 1,2",
            &["--weights has 2 numbers for 1 pictures"],
        ),
        bad("texture a.png --fill a.png", &["--mask"]),
        bad("texture a.png --mask a.png", &["--fill"]),
        bad(
            "texture a.png --fill a.png --mask a.png --size 64",
            &["--size", "--fill"],
        ),
        bad(
            "texture a.png --fill a.png --mask small.png --device flex",
            &["the mask", "[9, 9]"],
        ),
        bad(
            "texture a.png --tile --padding zero",
            &["--padding", "--tile"],
        ),
        bad(
            "texture a.png --paper --statistics gram",
            &["--paper", "--statistics"],
        ),
        bad(
            "texture a.png --map a.png --sixteen",
            &["--map", "--sixteen"],
        ),
        bad(
            "texture a.png a.png --map a.png",
            &["--map needs exactly one input"],
        ),
        bad("texture a.png --map small.png --device flex", &["[9, 9]"]),
        bad("texture a.png a.png", &["--mix"]),
        bad("texture a.png a.png -o out.png", &["--mix"]),
        bad("texture a.png --variations 2 -o -", &["-o -"]),
        bad("texture a.png --json -o -", &["--json"]),
        bad("texture a.png a.png -o ./ --force", &["two results"]),
        bad(
            "texture --tv-weight 1 --device flex",
            &["--tv-weight is 1", "--statistics `resampled`"],
        ),
        bad(
            "texture --variations 2 --checkpoint run.safetensors",
            &["--checkpoint", "one run"],
        ),
        bad(
            "texture --recipe a.json --network-seed 1",
            &["--network-seed", "--recipe"],
        ),
        bad(
            "texture --recipe a.json --weights-file a.pth",
            &["--weights-file", "--recipe"],
        ),
        bad(
            "texture --weights-file a.pth --bias-sigma 1",
            &["--bias-sigma", "--weights-file"],
        ),
        bad("texture --caffe", &["--weights-file"]),
        bad("texture --layers fc6 --device flex", &["fc6", "224x224"]),
        bad(
            "texture a.png --network alexnet --layers conv1_1 --device flex",
            &["conv1_1", "alexnet"],
        ),
        bad("invert --paper --scales 2", &["--paper", "--scales"]),
        bad(
            "invert --layer fc6 --in-size 64 --device flex",
            &["64x64", "224x224"],
        ),
        bad(
            "maps a.png --no-tile --padding zero",
            &["--no-tile", "--padding"],
        ),
        bad(
            "network choose --up-to fc6 --device flex -o made.json",
            &["fc6", "224x224"],
        ),
        bad(
            "network choose --in-size 1 --device flex -o made.json",
            &["1x1", "conv5_1", "32x32"],
        ),
        bad(
            "network export --up-to conv3_4 --network vgg16 -o made",
            &["conv3_4", "vgg16"],
        ),
        bad("time --size 1 --device flex", &["1x1", "conv2_1"]),
        bad("invert --layer fc6 --size", &["--size"]),
    ];
    check("flags at odds", folder, &cases);
}

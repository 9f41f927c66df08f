//! The flags that lines are drawn from, with values that can work and values that never do.

/// A flag, values of it that can work somewhere, and values that never do. Without values it is a switch.
pub(super) type Flag = (&'static str, &'static str, &'static str);

const PICTURES: &str = "a.png b.png grey.png alpha.png mask.png flat.png a.jpg";
const NO_PICTURES: &str = "missing.png text.txt folder empty.png net.json tiny.png thin.png";
const LAYERS: &str =
    "conv1_1 relu1_1 conv2_1 pool1 relu3_1 conv4_1 conv1_1,pool2 conv1_1=2,conv2_1";
const NO_LAYERS: &str = "conv9 fc6 all conv1_1=-1 conv1_1=nan pool9";
const WEIGHTS: &str = "0 0.5 1 3 0.001 100";
const NO_WEIGHTS: &str = "-1 nan inf 1e400 x 0x10";
const SIZES: &str = "32 64 48x80 96 8 65 100x36";
const NO_SIZES: &str = "0 -5 64x x64 64x64x64 99999 1 16384x1";
const COUNTS: &str = "1 2 3 7";
const NO_COUNTS: &str = "0 -1 1.5 x 99999999999999999999";

/// Flags that all commands have which make pictures.
const OF_A_RUN: [Flag; 9] = [
    ("seed", COUNTS, "-1 x 18446744073709551616"),
    ("scales", COUNTS, NO_COUNTS),
    ("seconds", "0.2 1 1e9", "0 -1 nan inf x"),
    ("memory", "1G 200M 60000000", "0 1 -1 x 99999999T"),
    ("checkpoint", "k.safetensors", "folder nowhere/k a.png"),
    ("checkpoint-every", "0.01 5", "0 -1 nan x"),
    ("resume", "run.safetensors", "missing net.json a.png"),
    ("network-seed", COUNTS, "-1 x"),
    ("no-metadata", "", ""),
];

/// Flags of commands that compute features.
const OF_A_NETWORK: [Flag; 10] = [
    ("bias-sigma", WEIGHTS, NO_WEIGHTS),
    ("recipe", "net.json", "a.png missing folder"),
    ("weights-file", "w.safetensors", "net.json a.png missing"),
    ("caffe", "", ""),
    ("network", "vgg16 vgg19 alexnet", "vgg11 x"),
    ("pooling", "average max", "none x"),
    ("padding", "zero reflect replicate circular", "wrap x"),
    ("precision", "single plain", "half f32 x"),
    ("sixteen", "", ""),
    ("json", "", ""),
];

const OF_STATISTICS: [Flag; 7] = [
    ("size", SIZES, NO_SIZES),
    ("layers", LAYERS, NO_LAYERS),
    ("tv-weight", WEIGHTS, NO_WEIGHTS),
    ("start", PICTURES, NO_PICTURES),
    ("weights", "1 1,2 0.5,0.5,2", "0 -1 nan 1,,2 x"),
    ("guide", "mask.png grey.png", NO_PICTURES),
    (
        "statistics",
        "gram moments whitened distributions resampled",
        "mean x",
    ),
];

const OF_A_TEXTURE: [Flag; 12] = [
    ("mix", "", ""),
    ("map", PICTURES, NO_PICTURES),
    ("in-size", SIZES, NO_SIZES),
    ("exemplar-scale", "0.5 1 2", "0 -1 nan 1000 x"),
    ("no-periods", "", ""),
    ("nearest-weight", WEIGHTS, NO_WEIGHTS),
    ("paper", "", ""),
    ("tile", "", ""),
    ("fill", PICTURES, NO_PICTURES),
    ("mask", "mask.png grey.png", NO_PICTURES),
    ("variations", COUNTS, NO_COUNTS),
    ("colour-weight", WEIGHTS, NO_WEIGHTS),
];

const OF_AN_INVERSION: [Flag; 4] = [
    ("layer", "conv1_1 conv2_1 pool1 relu3_1", NO_LAYERS),
    ("in-size", SIZES, NO_SIZES),
    ("tv-weight", WEIGHTS, NO_WEIGHTS),
    ("paper", "", ""),
];

const OF_A_STYLE: [Flag; 8] = [
    ("content-weight", WEIGHTS, NO_WEIGHTS),
    ("style-weight", WEIGHTS, NO_WEIGHTS),
    ("content-layer", "conv1_1 conv2_1", NO_LAYERS),
    ("style-scale", "0.5 1 2", "0 -1 nan 1000 x"),
    ("colours", "style matched luminance", "x"),
    ("content-mask", "mask.png grey.png", NO_PICTURES),
    ("from-noise", "", ""),
    ("colour-weight", WEIGHTS, NO_WEIGHTS),
];

const OF_MAPS: [Flag; 9] = [
    ("name", "n", "../n a/b"),
    ("also", "tif", "x"),
    ("size", SIZES, NO_SIZES),
    ("exemplar-scale", "0.5 1 2", "0 -1 nan 1000 x"),
    ("normals", "gl dx", "x"),
    ("padding", "reflect circular", "x"),
    ("no-tile", "", ""),
    ("no-periods", "", ""),
    ("nearest-weight", WEIGHTS, NO_WEIGHTS),
];

/// Flags that every line has, or that would make it wait, ask a GPU or do nothing.
pub(super) const NOT_DRAWN: [&str; 10] = [
    "help",
    "output",
    "force",
    "quiet",
    "evaluations",
    "device",
    "watch",
    "no-tuning",
    "config",
    "print-config",
];

/// Of a command: inputs that it takes, inputs that it refuses, and its flags.
pub(super) fn command(name: &str) -> (&'static str, &'static str, Vec<Flag>) {
    let [run, network] = [&OF_A_RUN[..], &OF_A_NETWORK];
    match name {
        "texture" => {
            let flags = [run, network, &OF_STATISTICS, &OF_A_TEXTURE].concat();
            (PICTURES, NO_PICTURES, flags)
        }
        "style" => {
            let flags = [run, network, &OF_STATISTICS, &OF_A_STYLE].concat();
            (PICTURES, NO_PICTURES, flags)
        }
        "invert" => {
            let flags = [run, network, &OF_AN_INVERSION].concat();
            (PICTURES, NO_PICTURES, flags)
        }
        _ => {
            let inputs = "t_height.png t_normal.png t_albedo.png";
            (inputs, "a.png missing.png", [run, &OF_MAPS].concat())
        }
    }
}

pub(super) const COMMANDS: [&str; 4] = ["texture", "style", "invert", "maps"];

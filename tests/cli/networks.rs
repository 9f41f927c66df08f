//! `ranvgg network`, and networks of the other commands.

use std::path::Path;

use ranvgg::RandomVgg;

use crate::programs::{bundled, files, said};
use crate::{QUICK, made, refused, run};

#[test]
fn a_chosen_network_serves_the_other_commands() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec![
        "network",
        "choose",
        "--candidates",
        "2",
        "--evaluations",
        "3",
    ];
    arguments.extend(["--in-size", "24", "--up-to", "conv1_2", "--device", "flex"]);
    arguments.extend(["-o", "stack.json", "--report", "report.json"]);
    let table = made(folder.path(), &arguments);
    assert_eq!(table.matches("score").count(), 4, "{table}");
    assert_eq!(files(folder.path()), ["report.json", "stack.json"]);
    refused(folder.path(), &arguments, &["--force"]);
    refused(
        folder.path(),
        &["network", "choose", "-o", "missing/stack.json"],
        &["missing"],
    );
    let arguments = ["texture", "--recipe", "stack.json", "-o", "made.png"];
    made(folder.path(), &[&arguments[..], &QUICK].concat());
    for (wrong, named) in [
        (&["--recipe", "report.json"][..], "recipe"),
        (&["--recipe", "missing.json"], "missing.json"),
        (
            &["--recipe", "stack.json", "--network-seed", "1"],
            "--network-seed",
        ),
    ] {
        refused(folder.path(), &[&["texture"], wrong].concat(), &[named]);
    }
}

#[test]
fn a_recipe_and_its_weights_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let described = [
        "--network",
        "alexnet",
        "--network-seed",
        "9",
        "--padding",
        "zero",
    ];
    let printed = made(
        folder.path(),
        &[&["network", "recipe"], &described[..]].concat(),
    );
    let recipe = RandomVgg::from_recipe(&printed).unwrap();
    assert_eq!(recipe.seed(), 9);
    let arguments = ["network", "recipe", "-o", "net.json"];
    made(folder.path(), &[&arguments[..], &described].concat());
    assert_eq!(
        RandomVgg::load_recipe(folder.path().join("net.json")).unwrap(),
        recipe
    );
    refused(folder.path(), &arguments, &["net.json", "--force"]);
    let arguments = [
        "network",
        "export",
        "--recipe",
        "net.json",
        "--up-to",
        "conv2",
        "-o",
        "net.safetensors",
    ];
    let said = made(folder.path(), &arguments);
    assert_eq!(said, "net.safetensors: alexnet up to conv2\n");
    // The weights make the network that the recipe describes.
    let mut arguments = vec![
        "invert",
        "--weights-file",
        "net.safetensors",
        "--network",
        "alexnet",
    ];
    arguments.extend([
        "--layer",
        "conv2",
        "--evaluations",
        "2",
        "--device",
        "flex",
        "--in-size",
        "64",
    ]);
    made(folder.path(), &arguments);
    assert_eq!(
        files(folder.path()),
        ["inverted.png", "net.json", "net.safetensors"]
    );
}

#[test]
fn trained_weights_serve_in_place_of_random_ones() {
    let folder = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/alexnet.pth");
    let (alexnet, cat) = (golden.to_str().unwrap(), bundled("cat.png"));
    let cat = cat.to_str().unwrap();
    let common = ["--layer", "conv2", "--device", "flex", "--evaluations", "2"];
    let network = ["--network", "alexnet", "--weights-file", alexnet];
    let output = run(
        folder.path(),
        &[&["invert", cat], &common[..], &network].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("alexnet, trained"),
        "{}",
        said(&output)
    );
    assert!(folder.path().join("inverted.png").exists());
    let wrong: [(&[&str], &str); 8] = [
        (&["--weights-file", "nowhere.pth"], "nowhere.pth"),
        (&["--weights-file", cat], "cat.png"),
        // Another network than its weights.
        (&["--weights-file", alexnet], "features.0.weight"),
        (
            &["--weights-file", alexnet, "--network-seed", "1"],
            "--network-seed",
        ),
        (
            &["--weights-file", alexnet, "--bias-sigma", "1"],
            "--bias-sigma",
        ),
        (
            &["--bias-sigma=-1"],
            "`-1` is not a finite number from 0 up",
        ),
        (&["--network", "vgg13"], "vgg16, vgg19, alexnet"),
        (&["--caffe"], "--weights-file"),
    ];
    for (arguments, named) in wrong {
        let rest = ["-o", "refused.png", "--device", "flex"];
        refused(
            folder.path(),
            &[&["invert"], arguments, &rest].concat(),
            &[named],
        );
    }
    assert_eq!(files(folder.path()), ["inverted.png"]);
}

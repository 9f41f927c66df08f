//! `ranvgg again` and `ranvgg resume`.

use std::fs;
use std::path::Path;

use ranvgg::IfExists;
use ranvgg::imaging::{self, Provenance};

use crate::programs::files;
use crate::{QUICK, made, picture, ranvgg, refused};

fn pixels(folder: &Path, name: &str) -> Vec<u8> {
    image::open(folder.join(name))
        .unwrap()
        .into_rgb8()
        .into_raw()
}

#[test]
fn a_picture_is_made_again_from_what_it_carries() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "moss.png");
    let several = [
        "texture",
        "moss.png",
        "--tile",
        "--seed",
        "5",
        "--variations",
        "2",
    ];
    made(
        folder,
        &[&several[..], &["-o", "tile.png"], &QUICK[..]].concat(),
    );
    made(folder, &["again", "tile-6.png"]);
    assert_eq!(
        pixels(folder, "tile-6-again.png"),
        pixels(folder, "tile-6.png")
    );
    // What it made can be made again too.
    made(folder, &["again", "tile-6-again.png", "-o", "third.png"]);
    assert_eq!(pixels(folder, "third.png"), pixels(folder, "tile-6.png"));
    made(folder, &["again", "tile-5.png", "-o", "other.tif"]);
    assert_eq!(pixels(folder, "other.tif"), pixels(folder, "tile-5.png"));

    // Of several inputs each has its own line.
    picture(folder, "stone.png");
    let both = ["texture", "moss.png", "stone.png", "-o", "out/"];
    made(folder, &[&both[..], &QUICK[..]].concat());
    made(folder, &["again", "out/stone.png"]);
    assert_eq!(
        pixels(folder, "stone-again.png"),
        pixels(folder, "out/stone.png")
    );

    refused(
        folder,
        &["again", "moss.png"],
        &["`moss.png`", "how it was made"],
    );
    refused(
        folder,
        &["again", "tile-5.png", "-o", "other.tif"],
        &["--force"],
    );
    fs::copy(folder.join("tile-5.png"), folder.join("moss.png")).unwrap();
    refused(
        folder,
        &["again", "tile-6.png", "-o", "new.png"],
        &["\"moss.png\"", "has changed"],
    );
    let bare = ["texture", "stone.png", "--no-metadata", "-o", "bare.png"];
    made(folder, &[&bare[..], &QUICK[..]].concat());
    refused(
        folder,
        &["again", "bare.png"],
        &["`bare.png`", "how it was made"],
    );
}

#[test]
fn a_killed_run_goes_on_from_its_checkpoint_to_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "moss.png");
    let line = [
        "texture",
        "moss.png",
        "--device",
        "flex",
        "--size",
        "96",
        "--evaluations",
        "150",
        "--seed",
        "3",
    ];
    made(folder, &[&line[..], &["-o", "whole.png"]].concat());

    let saving = [
        "-o",
        "killed.png",
        "--checkpoint",
        "run.safetensors",
        "--checkpoint-every",
        "0.01",
    ];
    let mut run = ranvgg(folder);
    let mut child = run.args(line).args(saving).spawn().unwrap();
    while !folder.join("run.safetensors").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if !folder.join("killed.png").exists() {
        made(folder, &["resume", "run.safetensors"]);
    }
    assert_eq!(pixels(folder, "killed.png"), pixels(folder, "whole.png"));

    // A run that has ended goes on with more evaluations.
    made(
        folder,
        &[
            "resume",
            "run.safetensors",
            "--evaluations",
            "160",
            "-o",
            "more.png",
        ],
    );
    assert!(folder.join("more.png").exists());
    made(folder, &["resume", "run.safetensors", "-o", "once.png"]);
    refused(folder, &["resume", "moss.png"], &["`moss.png`"]);
    let several = [
        "--variations",
        "2",
        "--checkpoint",
        "two.safetensors",
        "-o",
        "a.png",
    ];
    refused(
        folder,
        &[&line[..], &several[..]].concat(),
        &["--checkpoint", "one run"],
    );
    let other = ["--resume", "run.safetensors", "--seed", "4", "-o", "b.png"];
    refused(folder, &[&line[..], &other[..]].concat(), &["seed"]);
}

#[test]
fn other_files_of_a_picture_are_compared_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "-moss.png");
    picture(folder, "guide.png");
    let line = ["texture", "--guide", "guide.png", "-o", "a.png"];
    made(
        folder,
        &[&line[..], &QUICK[..], &["--", "-moss.png"]].concat(),
    );
    made(folder, &["again", "a.png"]);
    assert_eq!(pixels(folder, "a-again.png"), pixels(folder, "a.png"));
    fs::copy(folder.join("a.png"), folder.join("guide.png")).unwrap();
    refused(
        folder,
        &["again", "a.png", "-o", "b.png"],
        &["guide.png", "has changed"],
    );
}

#[test]
fn a_file_cannot_make_the_program_do_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "moss.png");
    let image = image::open(folder.join("moss.png")).unwrap();
    let lines: [&[&str]; 9] = [
        &["network", "export", "--output=weights.safetensors"],
        &["texture", "--force", "moss.png"],
        &["texture", "--output=moss.png"],
        &["texture", "-o", "moss.png"],
        &["style", "--config=other.toml"],
        &["invert", "--checkpoint=moss.png"],
        &["texture", "--", "moss.png"],
        &["again", "odd.png"],
        &["texture", "--variations=9"],
    ];
    for line in lines {
        let made = Provenance::of("texture").with_arguments(line);
        imaging::save_with(&image, folder.join("odd.png"), IfExists::Replace, &made).unwrap();
        refused(
            folder,
            &["again", "odd.png"],
            &["`odd.png`", "not written by this program"],
        );
    }
    // Its inputs would go to a machine that the file names.
    let away = ["texture", "--device=remote:ws://127.0.0.1:9", "moss.png"];
    let made = Provenance::of("texture").with_arguments(away);
    imaging::save_with(&image, folder.join("odd.png"), IfExists::Replace, &made).unwrap();
    refused(
        folder,
        &["again", "odd.png"],
        &["another machine", "remote:ws://127.0.0.1:9"],
    );
    assert_eq!(files(folder), ["moss.png", "odd.png"]);
}

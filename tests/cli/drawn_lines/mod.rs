//! Command lines drawn at random: flags that nobody thought of together. Whatever is drawn either works or is refused as
//! `bad_inputs` demands.
//!
//! `cargo test --release --features cli --test cli drawn_lines -- --ignored --nocapture` draws a thousand others;
//! `RANVGG_LINES` sets another number, `RANVGG_LINES_SEED` others.

mod flags;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use image::{DynamicImage, Luma, Rgb, RgbImage, Rgba};
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use self::flags::{COMMANDS, NOT_DRAWN, command};
use crate::programs::said;
use crate::{made, ranvgg};

fn one<'a>(rng: &mut ChaCha8Rng, right: &'a str, wrong: &'a str, share: f64) -> &'a str {
    let pool = if rng.random_bool(share) { wrong } else { right };
    let all: Vec<&str> = pool.split(' ').collect();
    all.choose(rng).unwrap()
}

fn drawn(rng: &mut ChaCha8Rng) -> Vec<String> {
    let name = *COMMANDS.choose(rng).unwrap();
    let (inputs, no_inputs, mut flags) = command(name);
    let mut line = vec![name.to_owned()];
    let count = match name {
        "style" => *[2, 2, 2, 3, 1].choose(rng).unwrap(),
        _ => *[1, 1, 1, 2, 3].choose(rng).unwrap(),
    };
    for _ in 0..count {
        line.push(one(rng, inputs, no_inputs, 0.05).into());
    }
    flags.shuffle(rng);
    let count = *[0, 1, 1, 2, 2, 3, 4, 6].choose(rng).unwrap();
    for (flag, right, wrong) in flags.into_iter().take(count) {
        line.push(match right {
            "" => format!("--{flag}"),
            right => format!("--{flag}={}", one(rng, right, wrong, 0.05)),
        });
    }
    if name != "maps" && !line.iter().any(|word| word.starts_with("--size")) {
        line.push(
            if name == "invert" {
                "--in-size=48"
            } else {
                "--size=64"
            }
            .into(),
        );
    }
    let output = match name {
        "maps" => one(rng, "made new/made", "a.png", 0.05),
        _ => one(
            rng,
            "o.png o.jpg out/",
            "a.png nowhere/o.png o.xyz folder .",
            0.1,
        ),
    };
    let evaluations = rng.random_range(1..6);
    line.push(format!("--output={output}"));
    line.push(format!("--evaluations={evaluations}"));
    line.extend(["--device=flex".into(), "-q".into()]);
    if rng.random_bool(0.1) {
        line.push("--force".into());
    }
    line
}

/// What lines may name.
fn fill(folder: &Path) {
    let shade = |x: u32, y: u32| (x * 7 % 97 + y * 13 % 89 + x * y % 31) as u8;
    let colour = |x, y| Rgb([shade(x, y), shade(y, x), 90]);
    for (name, width, height) in [
        ("a.png", 64, 64),
        ("b.png", 97, 61),
        ("a.jpg", 40, 90),
        ("tiny.png", 1, 1),
        ("thin.png", 200, 3),
        ("t_normal.png", 64, 64),
        ("t_albedo.png", 64, 64),
    ] {
        RgbImage::from_fn(width, height, colour)
            .save(folder.join(name))
            .unwrap();
    }
    for name in ["grey.png", "t_height.png"] {
        let grey = image::GrayImage::from_fn(64, 64, |x, y| Luma([shade(x, y)]));
        grey.save(folder.join(name)).unwrap();
    }
    let hole = |x, y| {
        if (16..40).contains(&x) && (20..50).contains(&y) {
            255
        } else {
            0
        }
    };
    let mask = image::GrayImage::from_fn(64, 64, |x, y| Luma([hole(x, y)]));
    mask.save(folder.join("mask.png")).unwrap();
    let alpha = image::RgbaImage::from_fn(64, 48, |x, y| Rgba([shade(x, y), 20, 200, shade(y, x)]));
    alpha.save(folder.join("alpha.png")).unwrap();
    let flat = DynamicImage::ImageRgb8(RgbImage::from_pixel(64, 64, Rgb([128, 9, 70])));
    flat.save(folder.join("flat.png")).unwrap();
    std::fs::write(folder.join("text.txt"), "text").unwrap();
    std::fs::write(folder.join("empty.png"), "").unwrap();
    for line in [
        "network recipe --network vgg16 -o net.json",
        "network export --up-to conv3_1 -o w.safetensors",
        "texture a.png --size 64 --device flex -q --evaluations 3 -o o.png --checkpoint run.safetensors",
    ] {
        made(folder, &line.split(' ').collect::<Vec<_>>());
    }
    std::fs::remove_file(folder.join("o.png")).unwrap();
}

/// Files of a folder and of those below it, with their bytes.
fn listing(folder: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(listing(&path));
        } else {
            files.insert((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

/// What is wrong with how a line ended; nothing if it worked or was refused as it should.
fn fault(folder: &Path, line: &[String]) -> (bool, Option<String>) {
    let before = listing(folder);
    let mut command = Command::from_std(ranvgg(folder));
    let output = command
        .args(line)
        .timeout(Duration::from_secs(120))
        .output();
    let output = output.unwrap();
    let said = said(&output);
    let after = listing(folder);
    let new: Vec<&(String, Vec<u8>)> = after.difference(&before).collect();
    let errors = said
        .lines()
        .filter(|line| line.starts_with("error: "))
        .count();
    let works = output.status.code() == Some(0);
    let fault = match output.status.code() {
        _ if said.contains("panicked") => Some("a panic".to_owned()),
        _ if new.iter().any(|(name, _)| name.contains(".ranvgg-")) => Some("rubbish".to_owned()),
        Some(0) if errors > 0 => Some("an error of a run that worked".to_owned()),
        Some(0) if new.is_empty() => Some("nothing was made".to_owned()),
        Some(0) => new.iter().find_map(|(name, bytes)| {
            let picture = [".png", ".jpg", ".tif"]
                .iter()
                .any(|end| name.ends_with(end));
            let bad = picture && image::load_from_memory(bytes).is_err();
            bad.then(|| format!("{name} is no picture"))
        }),
        // Of several inputs some may work.
        Some(1) if said.contains("inputs failed:") => None,
        Some(1 | 2) if errors != 1 => Some(format!("{errors} lines are errors")),
        Some(1 | 2) if !new.is_empty() => Some("a refused line left files".to_owned()),
        Some(1 | 2) => None,
        code => Some(format!("it ended with {code:?}")),
    };
    (
        works,
        fault.map(|fault| format!("{fault}: {}\n{said}", line.join(" "))),
    )
}

fn check(count: usize, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut works, mut faults) = (0, Vec::new());
    let stock = tempfile::tempdir().unwrap();
    fill(stock.path());
    let stock = listing(stock.path());
    for _ in 0..count {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        for (name, bytes) in &stock {
            let name = Path::new(name).file_name().unwrap();
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let (worked, fault) = fault(folder.path(), &drawn(&mut rng));
        works += usize::from(worked);
        faults.extend(fault);
    }
    println!("{count} drawn command lines, {works} work");
    assert!(
        faults.is_empty(),
        "{}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(
        works > count / 5,
        "too few work to say much: {works} of {count}"
    );
}

#[test]
fn drawn_command_lines_work_or_are_refused() {
    check(40, 1);
}

#[test]
#[ignore = "minutes"]
fn many_drawn_command_lines_work_or_are_refused() {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    let count = number("RANVGG_LINES").unwrap_or(1000);
    check(count as usize, number("RANVGG_LINES_SEED").unwrap_or(2));
}

#[test]
fn every_flag_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    for name in COMMANDS {
        let help = made(folder.path(), &[name, "--help"]);
        let words = help
            .lines()
            .filter_map(|line| line.trim_start().split_once("--"));
        // A flag stands at the start of its line, behind its letter if it has one.
        let flags = words.filter(|(before, _)| before.is_empty() || before.ends_with(", "));
        let ends = |char: char| !char.is_ascii_alphanumeric() && char != '-';
        let flags: BTreeSet<&str> = flags
            .filter_map(|(_, rest)| rest.split(ends).next())
            .collect();
        let (_, _, drawn) = command(name);
        let mut known: BTreeSet<&str> = drawn.iter().map(|(flag, _, _)| *flag).collect();
        known.extend(NOT_DRAWN);
        let missing: Vec<_> = flags.difference(&known).collect();
        assert!(missing.is_empty(), "{name} is not drawn with {missing:?}");
        for (flag, _, _) in drawn {
            assert!(flags.contains(flag), "{name} has no --{flag}");
        }
    }
}

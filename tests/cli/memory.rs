//! What memory does not hold is refused before the work.

use std::path::Path;
use std::process::Output;

use crate::programs::{files, said};
use crate::{limited, picture};

/// The program, with at most so many kilobytes of memory.
fn within(folder: &Path, kilobytes: u32, line: &str) -> Output {
    // Stacks and arenas of threads count, however little is used of them.
    let variables = [("RAYON_NUM_THREADS", "2"), ("MALLOC_ARENA_MAX", "1")];
    let line = format!("{line} --device flex");
    limited(folder, &format!("-v {kilobytes}"), &variables, &line)
}

/// A limit of the process, which no machine's memory can hide.
#[test]
fn a_run_that_does_not_fit_is_refused_with_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    picture(folder, "b.png");
    picture(folder, "a_height.png");
    let there = files(folder);
    // However little is kept: a texture takes 21 bytes for each pixel then, a style 49, a network 400.
    for (line, what, least) in [
        ("texture --size 8192", "a result of 8192x8192", 1.2),
        ("texture a.png --size 8192", "a result of 8192x8192", 1.2),
        ("texture a.png --in-size 8192", "a result of 8192x8192", 1.2),
        ("texture a.png --map b.png --size 8192", "a result", 2.5),
        (
            "texture --size 2048 --statistics gram",
            "a result of 2048x2048",
            1.5,
        ),
        (
            "texture a.png --size 64 --in-size 8192 --exemplar-scale 1",
            "an exemplar of 8192x8192",
            1.0,
        ),
        ("maps a_height.png --size 16384", "a result", 1.6),
        (
            "style a.png b.png --size 8192",
            "a result of 8192x8192",
            3.0,
        ),
        (
            "style a.png b.png --size 2048 --statistics gram",
            "a result of 2048x2048",
            1.5,
        ),
        ("invert --in-size 2048", "a result of", 1.5),
        ("invert a.png --in-size 2048", "a result of 2048x2048", 1.5),
        (
            "network choose a.png --in-size 2048",
            "a picture of 2048x2048",
            3.9,
        ),
    ] {
        let output = within(folder, 1_000_000, line);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        let error = said.lines().last().unwrap();
        assert!(
            error.starts_with(&format!("error: {what}")),
            "{line}: {said}"
        );
        let number = |after: &str| -> f64 {
            let (_, rest) = error.split_once(after).expect("what is said");
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        assert!(number("needs about ") >= least, "{line}: {said}");
        assert!(number("GiB of memory, and ") < 0.95, "{line}: {said}");
        assert!(number("allowed: about ") > 1e5, "{line}: {said}");
        assert_eq!(files(folder), there, "{line}");
    }
    // What fits is made.
    let output = within(folder, 1_000_000, "texture a.png --evaluations 1");
    assert!(output.status.success(), "{}", said(&output));
}

/// The bound that a run was given because little was free is that of the run for good.
#[test]
fn a_run_that_was_bounded_goes_on_and_is_made_again_with_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    picture(folder, "a.png");
    let line = "texture a.png --size 768 --evaluations 6 -o b.png --checkpoint run.safetensors";
    let output = within(folder, 330_000, line);
    let words = said(&output);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("to save memory: "), "{words}");
    let more = [
        "resume",
        "run.safetensors",
        "--evaluations",
        "8",
        "-o",
        "c.png",
    ];
    crate::made(folder, &more);
    crate::made(folder, &["again", "b.png"]);
    let pixels = |name: &str| image::open(folder.join(name)).unwrap();
    assert_eq!(pixels("b-again.png"), pixels("b.png"));
}

/// A picture is brought to a size after it is asked whether a result of that size fits: at 9400x9400 this one
/// takes 530 MB alone.
#[test]
fn a_picture_is_not_enlarged_in_vain() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["a.png", "b.png"] {
        let deep = image::ImageBuffer::from_fn(64, 64, |x, y| {
            image::Rgb([(x * 1000) as u16, (y * 1000) as u16, 9000])
        });
        deep.save(folder.join(name)).unwrap();
    }
    std::fs::create_dir(folder.join("out")).unwrap();
    for command in [
        "texture a.png",
        "invert a.png",
        "texture a.png b.png -o out",
        "invert a.png b.png -o out",
    ] {
        let output = within(folder, 500_000, &format!("{command} --in-size 9400"));
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(
            said.contains("error: a result of 9400x9400 needs about"),
            "{command}: {said}"
        );
        assert!(!said.contains("memory allocation"), "{command}: {said}");
    }
}

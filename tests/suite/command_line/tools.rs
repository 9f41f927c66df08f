//! Programs that time, count and judge.

use crate::programs::{assert_refused, bundled, files, run, said};
use std::fs;

#[test]
fn layers_are_timed_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--size", "32", "--device", "flex", "--runs", "1"];
    let output = run("time_layers", folder.path(), &arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.contains("| layer | own | plain | patches |"),
        "{printed}{}",
        said(&output)
    );
    let times: Vec<f64> = printed
        .lines()
        .filter(|line| line.starts_with("| conv"))
        .flat_map(|line| line.split(['|', ' ']).filter_map(|word| word.parse().ok()))
        .collect();
    assert_eq!(times.len(), 9 * 3 * 2, "{printed}");
    assert!(times.iter().all(|time| *time >= 0.0));
    let small = ["--device", "flex", "--size", "16"];
    assert_refused("time_layers", folder.path(), &small, "--size is 16");
    assert_refused(
        "count_costs",
        folder.path(),
        &["--size", "8"],
        "--size is 8",
    );
}

#[test]
fn costs_are_those_of_the_definition() {
    let folder = tempfile::tempdir().unwrap();
    let output = run("count_costs", folder.path(), &["--size", "32"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // conv1_2 both ways: 2 * 2 * 9 * 64 * 64 * 32 * 32 operations, a quarter of them by Winograd.
    let row = printed.lines().find(|line| line.contains("conv1_2"));
    let cells: Vec<&str> = row.unwrap().split('|').map(str::trim).collect();
    assert_eq!((cells[2], cells[4]), ("0.2", "0.0"), "{printed}");
    // All: 378.7 GFLOP at 512x512, 256 times as many pixels, and a quarter.
    let all = printed.lines().find(|line| line.contains("| all |"));
    let cells: Vec<&str> = all.unwrap().split('|').map(str::trim).collect();
    assert_eq!((cells[2], cells[4]), ("1.5", "0.4"), "{printed}");
}

#[test]
fn textures_are_judged_on_one_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("exemplars")).unwrap();
    fs::copy(
        bundled("gravel.png"),
        folder.path().join("exemplars/gravel.png"),
    )
    .unwrap();
    fs::write(folder.path().join("exemplars/notes.txt"), "not a picture").unwrap();
    let arguments = [
        "exemplars",
        "-o",
        "out",
        "--presets",
        "whitened,tile",
        "--seeds",
        "4",
        "--side",
        "64",
        "--evaluations",
        "3",
        "--device",
        "flex",
    ];
    for _ in 0..2 {
        // The second time from the pictures of the first.
        let output = run("quality", folder.path(), &arguments);
        assert!(output.status.success(), "{}", said(&output));
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            table.contains("whitened") && table.contains("index.html"),
            "{table}"
        );
        let page = fs::read_to_string(folder.path().join("out/index.html")).unwrap();
        assert_eq!(page.matches("data:image/png;base64,").count(), 3);
        let rows = fs::read_to_string(folder.path().join("out/quality.csv")).unwrap();
        assert_eq!(rows.lines().count(), 3, "{rows}");
        assert!(
            rows.lines()
                .next()
                .unwrap()
                .starts_with("exemplar,preset,seed,")
        );
    }
    assert_eq!(
        files(&folder.path().join("out/results")),
        ["gravel-tile-4.png", "gravel-whitened-4.png"]
    );
    for wrong in [
        &["nowhere"][..],
        &["out/results/..", "--side", "20"],
        &["out", "--presets", "best"],
    ] {
        let output = run("quality", folder.path(), wrong);
        assert!(
            !output.status.success() && !said(&output).is_empty(),
            "{wrong:?}"
        );
    }
}

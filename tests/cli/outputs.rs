//! Where pictures and words go, and what happens where they cannot.

use std::fs::{self, File};
use std::process::Stdio;

use crate::programs::{files, said};
use crate::{QUICK, made, picture, ranvgg, run};

#[test]
fn a_picture_goes_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["texture", "-o", "-", "--sixteen"], &QUICK[..]].concat();
    let output = run(folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let image = image::load_from_memory(&output.stdout).unwrap();
    assert_eq!(
        (image.width(), image.color()),
        (64, image::ColorType::Rgb16)
    );
    assert!(files(folder.path()).is_empty());
}

#[test]
fn results_are_described_for_machines() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "moss.png");
    let mut arguments = vec!["texture", "moss.png", "--json", "--quiet", "--seed", "7"];
    arguments.extend(["-o", "out.TIFF", "--sixteen", "--variations", "2"]);
    arguments.extend(QUICK);
    let lines = made(folder.path(), &arguments);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for (line, seed) in lines.lines().zip([7, 8]) {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["command"], "texture");
        assert_eq!(object["inputs"][0], "moss.png");
        let output = object["outputs"][0].as_str().unwrap();
        assert_eq!(output, format!("out-{seed}.TIFF"));
        assert!(image::open(folder.path().join(output)).is_ok());
        assert_eq!(
            (&object["width"], &object["height"]),
            (&64.into(), &64.into())
        );
        assert_eq!(object["seed"], seed);
        assert!(object["evaluations"].as_u64().unwrap() > 0);
        assert!(object["seconds"].as_f64().unwrap() > 0.0);
        assert_eq!(object["stop_reason"], "all evaluations were used");
        assert!(!object["terms"].as_object().unwrap().is_empty(), "{line}");
        assert!(object["loss"].is_f64());
    }
    let arguments = [
        "invert",
        "moss.png",
        "--json",
        "--layer",
        "conv1_1",
        "--evaluations",
        "2",
    ];
    let line = made(
        folder.path(),
        &[&arguments[..], &["--device", "flex"]].concat(),
    );
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(object["psnr"].as_f64().unwrap() > 0.0, "{line}");
}

/// Nobody reads what is printed: the picture is saved, and that is what counts.
#[cfg(unix)]
#[test]
fn closed_pipes_do_not_cost_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["texture", "--json"], &QUICK[..]].concat();
    let mut child = ranvgg(folder.path())
        .args(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    assert!(image::open(folder.path().join("texture.png")).is_ok());
    // A list of which the first lines are enough.
    let mut child = ranvgg(folder.path())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        said(&output)
    );
}

/// A full disk: what was printed is lost, the picture is not; a picture that goes there is.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_only_where_the_picture_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let status = ranvgg(folder.path())
        .args([&["texture", "--json"], &QUICK[..]].concat())
        .stdout(full())
        .stderr(full())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(image::open(folder.path().join("texture.png")).is_ok());
    for arguments in [
        [&["texture", "-o", "-"], &QUICK[..]].concat(),
        vec!["devices"],
        vec!["network", "recipe"],
        vec!["texture", "--print-config"],
    ] {
        let output = ranvgg(folder.path())
            .args(&arguments)
            .stdout(full())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = said(&output);
        assert!(said.contains("cannot write to standard output"), "{said}");
    }
}

/// The program, with files of at most so many blocks of 512 or 1024 bytes.
#[cfg(target_os = "linux")]
fn with_quota(folder: &std::path::Path, blocks: u32, line: &str) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_ranvgg");
    // Shells end a program at its quota unless the signal is ignored; a full disk has no signal.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"{program}\" {line}");
    std::process::Command::new("sh")
        .current_dir(folder)
        .args(["-c", &script])
        // Where a picture is kept that has no place.
        .env("TMPDIR", folder)
        .output()
        .unwrap()
}

/// What does not fit is lost and said to be; what fits is kept, and nothing unfinished is left.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_costs_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rest = "--device flex --size 64 --evaluations 3 -q";
    let output = with_quota(folder, 2, &format!("texture {rest}"));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for word in ["cannot write `texture.png`", "too large", "is lost"] {
        assert!(said(&output).contains(word), "{}", said(&output));
    }
    assert!(!said(&output).contains(".ranvgg-"), "{}", said(&output));
    assert!(files(folder).is_empty(), "{:?}", files(folder));
    // The picture has 12 kB, the state 300.
    let line = format!("texture {rest} --checkpoint run.safetensors --checkpoint-every 0.001");
    let output = with_quota(folder, 60, &line);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("the checkpoint was not saved"),
        "{}",
        said(&output)
    );
    assert_eq!(files(folder), ["texture.png"]);
    assert!(image::open(folder.join("texture.png")).is_ok());
    for line in [
        "network export --up-to conv1_2 -o net",
        "network recipe -o net",
    ] {
        let output = with_quota(folder, 0, line);
        assert_eq!(output.status.code(), Some(1), "{line}: {}", said(&output));
        assert!(
            said(&output).contains("cannot write `net`"),
            "{}",
            said(&output)
        );
        assert!(!said(&output).contains(".ranvgg-"), "{}", said(&output));
        assert_eq!(files(folder), ["texture.png"]);
    }
}

/// As a shell's `>` does: the link stays, and so does who may read the file.
#[cfg(unix)]
#[test]
fn force_follows_links_and_keeps_who_may_read() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mode = |path: &str| {
        let there = fs::metadata(folder.join(path)).unwrap();
        there.permissions().mode() & 0o777
    };
    let put = |path: &str, mode: u32| {
        fs::write(folder.join(path), "old").unwrap();
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.join(path), mode).unwrap();
    };
    fs::create_dir(folder.join("far")).unwrap();
    put("far/private.png", 0o600);
    put("open.png", 0o666);
    put("far/state", 0o640);
    symlink("far/private.png", folder.join("once.png")).unwrap();
    symlink("once.png", folder.join("twice.png")).unwrap();
    let line = [&["texture", "-q", "--force", "-o"], &QUICK[..]].concat();
    for name in ["twice.png", "open.png"] {
        let mut line = line.clone();
        line.insert(4, name);
        made(folder, &line);
        assert!(image::open(folder.join(name)).is_ok(), "{name}");
    }
    assert!(image::open(folder.join("far/private.png")).is_ok());
    assert_eq!(mode("far/private.png"), 0o600);
    assert_eq!(mode("open.png"), 0o666);
    for link in ["once.png", "twice.png"] {
        let there = fs::symlink_metadata(folder.join(link)).unwrap();
        assert!(there.is_symlink(), "{link}");
    }
    assert_eq!(files(&folder.join("far")), ["private.png", "state"]);
    // What is no picture.
    for command in ["recipe", "export --up-to conv1_1"] {
        put("far/state", 0o640);
        let _ = symlink("far/state", folder.join("net"));
        let line = format!("network {command} -o net --force");
        made(folder, &line.split(' ').collect::<Vec<_>>());
        assert_ne!(fs::read(folder.join("far/state")).unwrap(), b"old");
        assert_eq!(mode("far/state"), 0o640, "{command}");
        assert_eq!(files(&folder.join("far")), ["private.png", "state"]);
    }
}

/// A checkpoint at the end of a link is kept there, and nobody else may read it then.
#[cfg(unix)]
#[test]
fn a_checkpoint_stays_where_its_link_leads() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = |more: &'static str| {
        let line = "texture -q -o made.png --force --checkpoint state --checkpoint-every 0.001";
        let words = line.split(' ').chain(QUICK);
        words.chain(more.split_whitespace()).collect::<Vec<_>>()
    };
    made(folder, &line(""));
    fs::create_dir(folder.join("far")).unwrap();
    let far = folder.join("far/state");
    fs::rename(folder.join("state"), &far).unwrap();
    fs::set_permissions(&far, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::read(&far).unwrap();
    symlink("far/state", folder.join("state")).unwrap();
    made(folder, &line("--seed 9"));
    assert_ne!(fs::read(&far).unwrap(), before);
    assert_eq!(
        fs::metadata(&far).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        fs::symlink_metadata(folder.join("state"))
            .unwrap()
            .is_symlink()
    );
}

/// Whoever reads the lines leaves after the first: the other pictures are made all the same.
#[cfg(unix)]
#[test]
fn a_reader_who_leaves_on_the_way_costs_nothing() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let line = [&["texture", "--json", "--variations", "3"], &QUICK[..]].concat();
    let mut child = ranvgg(folder.path())
        .args(line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    assert!(first.contains("texture-0.png"), "{first}");
    drop((lines, child.stderr.take()));
    assert!(child.wait().unwrap().success());
    let all = ["texture-0.png", "texture-1.png", "texture-2.png"];
    assert_eq!(files(folder.path()), all);
}

/// Another program takes the output's name in the meantime: the picture is saved beside it.
#[test]
fn a_picture_that_cannot_be_written_is_kept_beside() {
    let folder = tempfile::tempdir().unwrap();
    let child = ranvgg(folder.path())
        .args([
            "texture",
            "--device",
            "flex",
            "--size",
            "64",
            "--seconds",
            "3",
            "--evaluations",
            "100000",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    fs::write(folder.path().join("texture.png"), "precious").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("`texture.png` exists already"), "{said}");
    assert!(said.contains("the picture is in `texture-1.png`"), "{said}");
    assert_eq!(
        fs::read(folder.path().join("texture.png")).unwrap(),
        b"precious"
    );
    assert!(image::open(folder.path().join("texture-1.png")).is_ok());
}

/// Where there is no terminal a line tells now and then how far the run is.
#[test]
fn progress_is_told_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["texture", "--device", "flex", "--size", "64"];
    arguments.extend(["--seconds", "6", "--evaluations", "100000"]);
    let output = run(folder.path(), &arguments);
    let said = said(&output);
    assert!(
        output.status.success() && said.contains("/100000 evaluations, scale "),
        "{said}"
    );
}

/// To the bit, for every task.
#[test]
fn any_number_of_threads_makes_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    picture(folder.path(), "a.png");
    let made = |line: &str, threads: &str| {
        let rest = "--device flex --evaluations 6 --force --sixteen -o made.png";
        let mut run = ranvgg(folder.path());
        run.args(line.split(' ').chain(rest.split(' ')));
        let output = run.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let picture = image::open(folder.path().join("made.png")).unwrap();
        picture.into_rgb16().into_raw()
    };
    for line in [
        "texture a.png --size 48",
        "texture a.png --size 48 --nearest-weight 1",
        "texture a.png --size 48 --statistics gram",
        "texture a.png --size 48 --statistics whitened --precision plain",
        "invert a.png --layer conv3_1",
        "style a.png a.png --from-noise",
        "style a.png a.png --statistics gram",
    ] {
        let alone = made(line, "1");
        assert!(alone.iter().any(|value| *value != alone[0]), "{line}");
        for threads in ["2", "3"] {
            assert!(alone == made(line, threads), "{threads} threads: {line}");
        }
    }
    let line = "texture a.png --size 32";
    assert!(made(line, "1") == made(line, "100000"));
}

//! Imports point downwards: every room of `src/` uses rooms on lower floors only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Documents name files of the repository; each is there.
#[test]
fn documents_name_files_that_exist() {
    let mut documents = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        documents.push(entry.unwrap().path());
    }
    documents.retain(|path| path.extension().is_some_and(|end| end == "md"));
    let mut named = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let folders = ["src/", "tests/", "examples/", "benches/", "docs/"];
            if folders.iter().any(|folder| name.starts_with(folder)) && !name.contains(' ') {
                let path = root().join(name);
                assert!(path.exists(), "{} names {name}", document.display());
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named}");
}

/// The fuzz target `config` compiles the program's files, so `fuzz/` has their dependencies. It is no part of the package
/// and is built by hand.
#[test]
fn fuzz_targets_have_the_dependencies_of_the_program() {
    if !root().join("fuzz").exists() {
        // In the package.
        return;
    }
    let dependencies = |manifest: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let list = text.split("\n[dependencies]\n").nth(1).unwrap();
        let lines = list.lines().take_while(|line| !line.starts_with('['));
        let names = lines.filter_map(|line| line.split_once(" = "));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    let mut files = Vec::new();
    rust_files(&root().join("src/bin/ranvgg"), &mut files);
    let texts: Vec<String> = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let fuzzed = dependencies("fuzz/Cargo.toml");
    let mut used = 0;
    for name in dependencies("Cargo.toml") {
        let path = format!("{}::", name.replace('-', "_"));
        if texts.iter().any(|text| text.contains(&path)) {
            assert!(fuzzed.contains(&name), "fuzz/Cargo.toml lacks {name}");
            used += 1;
        }
    }
    assert!(used > 8, "{used}");
}

/// Rooms and their floors, as `docs/ARCHITECTURE.md` lists them.
fn floors() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let list = text
        .split("```floors\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let mut floors = BTreeMap::new();
    for line in list.lines() {
        let (floor, rooms) = line.split_once(':').unwrap();
        for room in rooms.split_whitespace() {
            floors.insert(room.to_owned(), floor.trim().parse().unwrap());
        }
    }
    floors
}

/// The files of the library; the program in `src/bin` is a user of it.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path == root().join("src/bin") {
            continue;
        }
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that follow `crate::` in a file, documentation left out: links may point anywhere.
fn used(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        for rest in line.split("crate::").skip(1) {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            rooms.insert(name);
        }
    }
    rooms
}

#[test]
fn every_room_has_a_floor_and_every_floor_its_rooms() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let rooms: BTreeSet<String> = files
        .iter()
        .map(|file| room_of(file))
        .filter(|room| room != "lib")
        .collect();
    let listed: BTreeSet<String> = floors().into_keys().collect();
    assert_eq!(rooms, listed);
}

#[test]
fn imports_point_downwards() {
    let floors = floors();
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let mut seen = 0;
    for file in files.iter().filter(|file| room_of(file) != "lib") {
        let room = room_of(file);
        for other in used(&fs::read_to_string(file).unwrap()) {
            if other == room {
                continue;
            }
            let floor = floors.get(&other).unwrap_or_else(|| {
                panic!("{} uses crate::{other}, which is no room", file.display())
            });
            assert!(
                *floor < floors[&room],
                "{} uses {other}, which is not below",
                file.display()
            );
            seen += 1;
        }
    }
    assert!(
        seen > 40,
        "only {seen} imports found: the test has lost its eyes"
    );
}

/// Only the engine may contain `unsafe`.
#[test]
fn unsafe_code_stays_in_the_engine() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let blocks = text.matches("unsafe {").count() + text.matches("unsafe impl").count();
        if blocks > 0 {
            assert_eq!(room_of(&file), "engine", "{}", file.display());
            assert!(
                text.matches("// SAFETY:").count() >= blocks,
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn files_stay_small() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .count();
        assert!(lines <= 450, "{} has {lines} lines of code", file.display());
    }
}

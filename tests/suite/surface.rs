//! The public surface: one path to each item.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)
}

/// The names that a file gives to the public: by `pub use`, and by definitions of its own.
fn exported(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in text.split("\npub use ").skip(1) {
        let list = statement.split(';').next().unwrap();
        for path in list.split([',', '{', '}', '\n']) {
            let name = path.rsplit("::").next().unwrap().trim();
            names.insert(name.to_owned());
        }
    }
    for line in text.lines() {
        for kind in ["struct ", "enum ", "trait ", "fn ", "type "] {
            if let Some(rest) = line.strip_prefix(&format!("pub {kind}")) {
                let name: String = rest
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                names.insert(name);
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn only_names_of_the_paper_have_a_second_path() {
    let root = fs::read_to_string(source("lib.rs")).unwrap();
    let mut seen = exported(&root);
    assert!(
        seen.contains("RandomVgg") && seen.contains("Outcome"),
        "{seen:?}"
    );
    let mut twice = BTreeSet::new();
    let modules = root
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "));
    for module in modules {
        let module = module.trim_end_matches(';');
        let text = fs::read_to_string(source(&format!("{module}/mod.rs")))
            .or_else(|_| fs::read_to_string(source(&format!("{module}.rs"))))
            .unwrap();
        for name in exported(&text) {
            if !seen.insert(name.clone()) {
                twice.insert(name);
            }
        }
    }
    let allowed = ["Gram", "LayerNormalizer", "Lbfgs"].map(str::to_owned);
    assert_eq!(twice, BTreeSet::from(allowed));
}

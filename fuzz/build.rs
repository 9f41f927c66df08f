//! The program as a module tree of the target `config`: its `main.rs` with the paths of its modules,
//! since an included file can have neither inner comments nor modules beside it.

use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/bin/ranvgg");
    let source = folder.join("main.rs");
    println!("cargo::rerun-if-changed={}", source.display());
    let text = fs::read_to_string(&source).expect("the program's main.rs");
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    let lines: Vec<String> = lines
        .map(|line| {
            let name = line
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'));
            let Some(name) = name else {
                return line.to_owned();
            };
            let file = folder.join(format!("{name}.rs"));
            let file = match file.exists() {
                true => file,
                false => folder.join(name).join("mod.rs"),
            };
            format!("#[path = {:?}]\nmod {name};", file)
        })
        .collect();
    let out = env::var("OUT_DIR").expect("a folder of cargo");
    fs::write(Path::new(&out).join("program.rs"), lines.join("\n")).expect("a written file");
}

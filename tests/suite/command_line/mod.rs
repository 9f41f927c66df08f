//! The example programs as a user meets them: help, wrong arguments, broken files, Ctrl-C.

mod mistakes;
mod pictures;
mod tools;

use crate::programs::{files, run, said};

const QUICK: [&str; 6] = ["--device", "flex", "--evaluations", "3", "--size", "64"];

#[test]
fn every_program_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "synthesize_texture",
        "invert",
        "transfer_style",
        "list_devices",
        "time_evaluation",
        "time_layers",
        "count_costs",
        "export_network",
        "choose_network",
        "quality",
        "reproduce",
    ] {
        let output = run(name, folder.path(), &["--help"]);
        assert!(output.status.success(), "{name}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            help.contains("Usage:") && help.contains("--help"),
            "{name}: {help}"
        );
        let output = run(name, folder.path(), &["--no-such-option"]);
        assert!(
            !output.status.success() && said(&output).contains("--no-such-option"),
            "{name}"
        );
    }
    assert!(files(folder.path()).is_empty());
}

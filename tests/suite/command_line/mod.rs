//! The programs for study as a user meets them: help, wrong arguments, what they print and write.

mod tools;

use crate::programs::{files, run, said};

#[test]
fn every_program_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["time_layers", "count_costs", "quality", "reproduce"] {
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

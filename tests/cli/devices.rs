//! `ranvgg devices`.

use assert_cmd::Command;

#[test]
fn the_best_device_is_named() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ranvgg"));
    let output = command
        .arg("devices")
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("flex") && text.contains("best: "), "{text}");
}

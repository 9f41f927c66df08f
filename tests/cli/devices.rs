//! `ranvgg devices`.

use crate::made;

#[test]
fn devices_are_listed_with_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let listed = made(folder.path(), &["devices"]);
    assert!(listed.contains("flex"), "{listed}");
    assert!(
        listed.lines().last().unwrap().starts_with("best: "),
        "{listed}"
    );
}

//! `ranvgg time`.

use crate::made;

#[test]
fn an_evaluation_is_timed_in_the_form_of_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "time", "--size", "32", "48", "--device", "flex", "--runs", "2",
    ];
    let printed = made(folder.path(), &arguments);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    assert!(lines[0].starts_with("on flex: "), "{printed}");
    for (line, size) in lines[1..].iter().zip([32, 48]) {
        let start = format!("size {size} device flex threads ");
        assert!(line.starts_with(&start), "{printed}");
        assert!(line.contains(" evaluation median ") && line.contains(" forward median "));
    }
}

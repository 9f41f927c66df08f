//! Errors as a program sees them: variants, messages, and the chain of sources.

use std::error::Error as _;

use ranvgg::error::FileUse;
use ranvgg::imaging::{self, Limits};
use ranvgg::{Architecture, Error, RandomVgg, WeightFile};

use crate::common::flex;

#[test]
fn a_message_does_not_repeat_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "neither a picture nor a recipe").unwrap();
    let name = text.display().to_string();
    let network = WeightFile::torchvision(Architecture::Vgg19);
    let errors = [
        imaging::open(folder.path().join("absent.png"), Limits::default()).unwrap_err(),
        imaging::open(&text, Limits::default()).unwrap_err(),
        RandomVgg::load_recipe(&text).unwrap_err(),
        RandomVgg::from_recipe("{").unwrap_err(),
        network.load(&text, &flex()).unwrap_err(),
        network.read(b"nothing", &flex()).unwrap_err(),
    ];
    for error in errors {
        let said = error.to_string();
        let source = error.source().expect("a source").to_string();
        assert!(!said.contains(&source), "{said}: {source}");
        let Error::File { path, .. } = error else {
            panic!("{said}");
        };
        if let Some(path) = path {
            assert!(said.contains(&path.display().to_string()), "{said}");
        }
    }
    let recipe = RandomVgg::load_recipe(&text).unwrap_err();
    assert_eq!(
        recipe.to_string(),
        format!("cannot use `{name}` as a recipe")
    );
    assert!(matches!(
        recipe,
        Error::File {
            wanted: FileUse::Recipe,
            ..
        }
    ));
}

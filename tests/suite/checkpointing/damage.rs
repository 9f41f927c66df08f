//! Files that are no checkpoints, or damaged ones.

use std::error::Error as _;
use std::fs;
use std::path::Path;

use ranvgg::error::FileUse;
use ranvgg::run::Checkpoint;
use ranvgg::{Error, Picture};

use super::{Folder, ends_at, nearest_patches, options, saving};
use crate::common::flex;

/// The values of a checkpoint's picture, or the message of the error.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    match Checkpoint::picture(path, &flex()) {
        Ok(Picture::Tensor(tensor)) => Ok(tensor.to_data().as_bytes().to_vec()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(matches!(error, Error::File { .. }), "{error}");
            let text = format!("{error}: {}", error.source().unwrap());
            assert_eq!(text.lines().count(), 1, "{text}");
            Err(text)
        }
    }
}

#[test]
fn a_damaged_file_is_refused_in_one_line() {
    let folder = Folder::new();
    let (whole, damaged) = (folder.file("whole"), folder.file("damaged"));
    nearest_patches(saving(&whole), &mut ends_at(20, false)).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let picture = read(&whole).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let offsets: Vec<usize> = (0..header)
        .step_by(5)
        .chain((header..bytes.len()).step_by(bytes.len() / 150))
        .chain([0, 1, 7, 8, 9, header - 1, header, bytes.len() - 1])
        .collect();
    for &offset in &offsets {
        fs::write(&damaged, &bytes[..offset]).unwrap();
        assert!(read(&damaged).is_err(), "cut at {offset}");
    }
    let mut same = 0;
    for &offset in &offsets {
        for change in [1, 0x20, 0xff] {
            let mut bytes = bytes.clone();
            bytes[offset] ^= change;
            fs::write(&damaged, &bytes).unwrap();
            match read(&damaged) {
                Ok(found) => {
                    assert_eq!(found, picture, "{offset}");
                    same += 1;
                }
                Err(text) => assert!(text.contains("damaged"), "{text}"),
            }
        }
    }
    println!(
        "{same} of {} changes left the content as it was",
        3 * offsets.len()
    );
    // One byte more, and one in the middle of a run.
    fs::write(&damaged, [&bytes[..], &[0]].concat()).unwrap();
    assert!(read(&damaged).is_err());
    let resumed = nearest_patches(options().with_resume(&damaged), &mut ());
    assert!(matches!(resumed, Err(Error::File { .. })));
}

#[test]
fn another_file_is_neither_read_nor_replaced() {
    let folder = Folder::new();
    let weights = folder.file("weights.safetensors");
    let vgg = crate::common::network();
    let deepest = crate::common::layer("conv1_1");
    vgg.save_safetensors(deepest, &weights, ranvgg::IfExists::Refuse)
        .unwrap();
    let text = folder.file("text.txt");
    fs::write(&text, "a text").unwrap();
    for path in [&weights, &text] {
        let before = fs::read(path).unwrap();
        assert!(read(path).is_err());
        let resumed = nearest_patches(options().with_resume(path), &mut ());
        assert!(matches!(resumed, Err(Error::File { .. })));
        let refused = nearest_patches(saving(path), &mut ends_at(0, true));
        assert!(
            matches!(
                &refused,
                Err(Error::File {
                    wanted: FileUse::Checkpoint,
                    ..
                })
            ),
            "{refused:?}"
        );
        assert_eq!(fs::read(path).unwrap(), before);
    }
    assert!(read(&folder.file("absent")).is_err());
}

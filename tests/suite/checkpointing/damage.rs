//! Files that are no checkpoints, or damaged ones.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::Path;

use ranvgg::error::FileUse;
use ranvgg::run::Checkpoint;
use ranvgg::{Error, Picture};
use safetensors::SafeTensors;
use serde_json::Value;

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

/// A file whose sum is right, with another header.
fn with_header(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let header = &metadata.metadata().as_ref().unwrap()["ranvgg-run"];
    let mut header: Value = serde_json::from_str(header).unwrap();
    change(&mut header);
    let header = header.to_string();
    let views: BTreeMap<_, _> = file.tensors().into_iter().collect();
    let mut sum = crc32fast::Hasher::new();
    sum.update(header.as_bytes());
    for (name, view) in &views {
        sum.update(format!("{name} {:?} {:?}", view.dtype(), view.shape()).as_bytes());
        sum.update(view.data());
    }
    let sum = format!("{:08x}", sum.finalize());
    let metadata = [("ranvgg-run".to_owned(), header), ("crc32".to_owned(), sum)];
    safetensors::serialize(views, Some(metadata.into())).unwrap()
}

/// They would overflow where they are added to.
#[test]
fn numbers_that_no_run_reaches_are_refused() {
    let folder = Folder::new();
    let (whole, changed) = (folder.file("whole"), folder.file("changed"));
    nearest_patches(saving(&whole), &mut ends_at(20, false)).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let same = with_header(&bytes, |_| {});
    fs::write(&changed, same).unwrap();
    nearest_patches(options().with_resume(&changed), &mut ends_at(1, false)).unwrap();
    for pointer in [
        "/progress/elapsed/secs",
        "/progress/counts/evaluations",
        "/progress/counts/preparing/secs",
        "/optimiser/steps",
    ] {
        let huge = with_header(&bytes, |header| {
            *header.pointer_mut(pointer).expect(pointer) = u64::MAX.into();
        });
        fs::write(&changed, huge).unwrap();
        let refused = read(&changed).unwrap_err();
        assert!(
            refused.contains("a number that no run reaches"),
            "{pointer}: {refused}"
        );
        let resumed = nearest_patches(options().with_resume(&changed), &mut ());
        assert!(matches!(resumed, Err(Error::File { .. })), "{pointer}");
    }
}

/// With a right check sum, as a forger can make one.
#[test]
fn states_that_contradict_themselves_are_refused() {
    let folder = Folder::new();
    let (whole, changed) = (folder.file("whole"), folder.file("changed"));
    nearest_patches(saving(&whole), &mut ends_at(20, false)).unwrap();
    let bytes = fs::read(&whole).unwrap();
    for (pointer, value) in [
        ("/optimiser/options/bounds", serde_json::json!([1.0, 0.0])),
        ("/optimiser/options/beta1", serde_json::json!(1.5)),
        ("/progress/counts/evaluations", serde_json::json!(0)),
    ] {
        let other = with_header(&bytes, |header| {
            *header.pointer_mut(pointer).expect(pointer) = value.clone();
        });
        fs::write(&changed, other).unwrap();
        let resumed = nearest_patches(options().with_resume(&changed), &mut ());
        assert!(resumed.is_err(), "{pointer}");
    }
    // The matches of patches are those of another exemplar.
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let memory = file.tensor("memory").unwrap().data().to_vec();
    let place = bytes
        .windows(memory.len())
        .position(|part| part == memory)
        .unwrap();
    let mut far = bytes.clone();
    far[place + memory.len() - 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&changed, with_header(&far, |_| {})).unwrap();
    let resumed = nearest_patches(options().with_resume(&changed), &mut ());
    assert!(matches!(resumed, Err(Error::File { .. })), "{resumed:?}");
}

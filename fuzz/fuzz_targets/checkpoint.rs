//! States of runs: a file whose check sum is right, whatever else is wrong with it. The first byte says
//! which run goes on from the file, and whether the rest is a file, one whose sum is made right, or a header
//! and changes of a state that the run has saved.

#![no_main]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use ranvgg::image::{DynamicImage, Rgb, RgbImage};
use ranvgg::run::Checkpoint;
use ranvgg::{
    Control, Observer, Outcome, Progress, RandomVgg, Result, RunOptions, Scales, Statistics,
    TextureOptions, Vgg, device, synthesize_texture,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// Stops a run after so many evaluations of this part of it.
struct After(usize);

impl Observer for After {
    fn observe(&mut self, _: &Progress<'_>) -> Control {
        self.0 = self.0.saturating_sub(1);
        match self.0 {
            0 => Control::Stop,
            _ => Control::Continue,
        }
    }
}

fn network() -> &'static Vgg {
    static NETWORK: OnceLock<Vgg> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let device = device::by_name("flex").unwrap();
        RandomVgg::vgg16().init(&device).unwrap()
    })
}

/// A run of either loop; the fuzzer's seeds are states of it.
fn run(by_layers: bool, options: RunOptions, observer: &mut After) -> Result<Outcome> {
    let picture = RgbImage::from_fn(12, 10, |x, y| Rgb([x as u8 * 20, y as u8 * 25, 90]));
    let scales = Scales::Octaves {
        most: 1,
        smallest: 5,
    };
    let mut options = TextureOptions::default().with_run(options.with_scales(scales));
    if by_layers {
        let layers = vec!["conv1_1".parse().unwrap()];
        options = options
            .with_statistics(Statistics::Gram)
            .with_layers(layers);
    }
    synthesize_texture(network(), DynamicImage::from(picture), &options, observer)
}

/// The parts of a file: its header, and its tensors by name.
type Parts = (String, BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>);

fn parts(bytes: &[u8]) -> Option<Parts> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let header = metadata.metadata().as_ref()?.get("ranvgg-run")?.clone();
    let tensors = file.tensors().into_iter();
    let tensors = tensors.map(|(name, view)| {
        (
            name,
            (view.dtype(), view.shape().to_vec(), view.data().to_vec()),
        )
    });
    Some((header, tensors.collect()))
}

/// A file of these parts, with the sum of what it holds.
fn file_of((header, tensors): &Parts) -> Option<Vec<u8>> {
    let mut sum = crc32fast::Hasher::new();
    sum.update(header.as_bytes());
    let mut views = BTreeMap::new();
    for (name, (dtype, shape, data)) in tensors {
        sum.update(format!("{name} {dtype:?} {shape:?}").as_bytes());
        sum.update(data);
        views.insert(name, TensorView::new(*dtype, shape.clone(), data).ok()?);
    }
    let sum = format!("{:08x}", sum.finalize());
    let metadata = [
        ("ranvgg-run".to_owned(), header.clone()),
        ("crc32".to_owned(), sum),
    ];
    safetensors::serialize(views, Some(HashMap::from(metadata))).ok()
}

/// A state of either run, after a few steps.
fn state(by_layers: bool) -> &'static Parts {
    static STATES: [OnceLock<Parts>; 2] = [const { OnceLock::new() }; 2];
    STATES[usize::from(by_layers)].get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let options = RunOptions::default().with_checkpoint(Checkpoint::new(&path));
        let _ = run(by_layers, options, &mut After(4));
        parts(&fs::read(&path).unwrap()).unwrap()
    })
}

/// A state with another header, the text up to a zero, and with changes of its tensors, four bytes each.
fn changed(by_layers: bool, bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let (header, changes) = bytes.split_at(end.unwrap_or(bytes.len()));
    let mut parts = state(by_layers).clone();
    parts.0 = std::str::from_utf8(header).ok()?.to_owned();
    for change in changes.iter().skip(1).collect::<Vec<_>>().chunks_exact(4) {
        let [which, what, at, value] = [*change[0], *change[1], *change[2], *change[3]];
        let count = parts.1.len();
        let name = parts
            .1
            .keys()
            .nth(usize::from(which) % count.max(1))?
            .clone();
        let (dtype, shape, data) = parts.1.get_mut(&name)?;
        match what % 5 {
            0 => drop(parts.1.remove(&name)),
            1 => {
                let length = data.len().max(1);
                let byte = data.get_mut(usize::from(at) * 37 % length)?;
                *byte = value;
            }
            2 => {
                // The same bytes in another shape.
                let values = shape.iter().product::<usize>();
                let side = usize::from(value).max(1);
                *shape = match values % side {
                    0 => vec![values / side, side],
                    _ => vec![values, 1, 1],
                };
            }
            3 => {
                let values = usize::from(value).min(shape.iter().product());
                data.truncate(values * data.len() / shape.iter().product::<usize>().max(1));
                *shape = vec![values];
            }
            _ => {
                *dtype = if *dtype == Dtype::F32 {
                    Dtype::U32
                } else {
                    Dtype::F32
                };
                let copy = parts.1[&name].clone();
                parts.1.insert(format!("vector.{value:05}"), copy);
            }
        }
    }
    file_of(&parts)
}

/// Seeds of the corpus, into the folder of this name: states of both loops.
fn write_seeds(folder: &Path) {
    for (by_layers, steps) in [(false, 1), (false, 130), (true, 1), (true, 4), (true, 160)] {
        let path = folder.join("state.safetensors");
        let checkpoint = Checkpoint::new(&path);
        let _ = run(
            by_layers,
            RunOptions::default().with_checkpoint(checkpoint),
            &mut After(steps),
        );
        let mut bytes = vec![2 * u8::from(by_layers)];
        bytes.extend(fs::read(&path).unwrap());
        fs::remove_file(&path).unwrap();
        let mut header = vec![4 + 2 * u8::from(by_layers)];
        header.extend(parts(&bytes[1..]).unwrap().0.into_bytes());
        header.extend([0, 1, 1, 5, 200]);
        let name = format!("seed-{by_layers}-{steps}");
        fs::write(folder.join(format!("{name}-header")), header).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("RANVGG_FUZZ_SEEDS") {
            write_seeds(Path::new(&folder));
        }
    },
    |bytes: &[u8]| {
        let Some((first, bytes)) = bytes.split_first() else {
            return;
        };
        let right = match first & 5 {
            0 => parts(bytes).and_then(|parts| file_of(&parts)),
            4 => changed(first & 2 != 0, bytes),
            _ => None,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        fs::write(&path, right.as_deref().unwrap_or(bytes)).unwrap();
        let _ = Checkpoint::picture(&path, network().device());
        let _ = Checkpoint::note_of(&path);
        if let Ok(outcome) = run(first & 2 != 0, RunOptions::default().with_resume(&path), &mut After(2)) {
            assert_eq!((outcome.picture().width(), outcome.picture().height()), (12, 10));
            let _ = outcome.image();
        }
    }
);

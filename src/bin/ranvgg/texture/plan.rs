//! What is to be made of which inputs, and where it goes.

use std::path::PathBuf;

use super::Arguments;
use crate::batch::Item;
use crate::failure::Result;
use crate::output::{Name, Target, holds_16_bits, stem};
use crate::pictures::GRAVEL;

/// What is to be made, and where it goes.
pub(super) fn items(arguments: &Arguments) -> Result<Vec<Item>> {
    let inputs = &arguments.inputs;
    let seeds = seeds(arguments)?;
    if !arguments.maps.is_empty() && inputs.len() != 1 {
        return Err("--map needs exactly one input, the first map".into());
    }
    let together = arguments.mix || arguments.sources.mix() || inputs.len() < 2;
    let groups: Vec<Vec<PathBuf>> = match together {
        true => vec![inputs.clone()],
        false => inputs.iter().map(|input| vec![input.clone()]).collect(),
    };
    if !together && !arguments.output.is_folder() {
        return Err(
            "several pictures make one texture each, which needs a folder: -o out/; \
            --mix makes one texture of all"
                .into(),
        );
    }
    let mut names = Vec::new();
    for group in &groups {
        for seed in &seeds {
            names.push(Name {
                stem: group.first().map_or(GRAVEL.name.into(), |path| stem(path)),
                seed: (seeds.len() > 1).then_some(*seed),
                maps: &arguments.maps,
            });
        }
    }
    let targets = arguments.output.targets("texture.png", &names)?;
    if !arguments.maps.is_empty() {
        check_maps(&targets)?;
    }
    let per_group = targets.chunks(seeds.len());
    let items = groups.into_iter().zip(per_group).map(|(inputs, targets)| {
        let results = seeds.iter().copied().zip(targets.iter().cloned()).collect();
        Item { inputs, results }
    });
    Ok(items.collect())
}

/// Maps keep their bits, which not every format holds.
fn check_maps(targets: &[Target]) -> Result<()> {
    let ends_well = |target: &Target| match target {
        Target::StandardOutput => false,
        Target::Files(files) => files.iter().all(|file| holds_16_bits(file)),
    };
    match targets.iter().all(ends_well) {
        true => Ok(()),
        false => Err("--map needs an output that ends in .png or .tif".into()),
    }
}

/// The seed of each variation.
fn seeds(arguments: &Arguments) -> Result<Vec<u64>> {
    let (first, more) = (arguments.run.seed, arguments.variations - 1);
    match first.checked_add(more) {
        Some(last) => Ok((first..=last).collect()),
        None => Err(format!(
            "--seed is {first} with --variations {}; allowed: seeds up to {}",
            arguments.variations,
            u64::MAX - more
        )
        .into()),
    }
}

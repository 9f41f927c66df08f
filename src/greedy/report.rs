//! The report of a greedy stack: every score, on disk.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Candidate, GreedyStack, GreedyStackBuilder};
use crate::error::{Error, FileUse, Result};
use crate::file::{self, IfExists};
use crate::imaging::Raster;
use crate::network::{Layer, RandomVgg};

/// Most bytes of a report; 10000 draws of each layer of VGG-19 take a hundredth of it.
const LONGEST: u64 = 1 << 30;

/// What determines the candidates and their scores.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    network: RandomVgg,
    /// Width, height and checksum of the reference.
    reference: (usize, usize, u32),
    candidates: usize,
    evaluations: usize,
}

/// What lies on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    settings: Settings,
    pub(super) candidates: Vec<Candidate>,
}

impl GreedyStackBuilder {
    /// The report so far: that on disk, if there is one.
    pub(super) fn resumed(&self, reference: &Raster) -> Result<Report> {
        let bytes: Vec<u8> = reference
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let size = reference.size();
        let settings = Settings {
            network: self.network.clone(),
            reference: (size.width, size.height, crc32fast::hash(&bytes)),
            candidates: self.candidates,
            evaluations: self.evaluations,
        };
        let empty = Report {
            settings,
            candidates: Vec::new(),
        };
        let Some(path) = &self.report else {
            return Ok(empty);
        };
        file::check(path, IfExists::Replace)?;
        if !path.exists() {
            return Ok(empty);
        }
        let report: Report = serde_json::from_slice(&file::read(path, LONGEST, FileUse::Report)?)
            .map_err(|source| Error::file(FileUse::Report, path, source))?;
        if report.settings != empty.settings {
            return Err(Error::option(
                format!("the report `{}`", path.display()),
                "of another network, reference, number of candidates or of evaluations",
                "one of the same",
            ));
        }
        Ok(report)
    }
}

impl Report {
    pub(super) fn knows(&self, layer: Layer, seed: u64) -> bool {
        self.of(layer).any(|candidate| candidate.seed == seed)
    }

    fn of(&self, layer: Layer) -> impl Iterator<Item = &Candidate> {
        let all = self.candidates.iter();
        all.filter(move |candidate| candidate.layer == layer)
    }

    /// The seed with the lowest score, of equal ones the first.
    pub(super) fn best(&self, layer: Layer) -> Option<u64> {
        let order =
            |a: &&Candidate, b: &&Candidate| a.score.total_cmp(&b.score).then(a.seed.cmp(&b.seed));
        self.of(layer).min_by(order).map(|best| best.seed)
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| Error::file(FileUse::Report, path, source))?;
        file::write(path, &text, IfExists::Replace)
    }

    pub(super) fn into_stack(self, network: RandomVgg, complete: bool) -> GreedyStack {
        GreedyStack {
            network,
            candidates: self.candidates,
            complete,
        }
    }
}

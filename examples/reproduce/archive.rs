//! What was computed, on disk: a picture and a record for each run, and the table of all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use image::DynamicImage;
use ranvgg::{
    IfExists,
    imaging::{self, Limits},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::options::Context;
use crate::study::{Curve, Made};
use crate::support;

/// One run: what it was and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    labels: BTreeMap<String, String>,
    figures: BTreeMap<String, f64>,
    pub(crate) curve: Curve,
    #[serde(skip)]
    pub(crate) picture: Option<DynamicImage>,
}

impl Record {
    /// What it was, by column of the table; empty where the column does not apply.
    pub(crate) fn label(&self, column: &str) -> &str {
        self.labels.get(column).map_or("", String::as_str)
    }

    pub(crate) fn is(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(column, label)| self.label(column) == *label)
    }

    /// What was measured; NaN where nothing was.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        self.figures.get(name).copied().unwrap_or(f64::NAN)
    }
}

pub(crate) struct Archive {
    runs: PathBuf,
    table: PathBuf,
}

impl Archive {
    /// Opens the archive of a study, and refuses one that was made with other options.
    pub(crate) fn open(context: &Context) -> support::Result<Self> {
        let runs = context.folder.join("runs");
        fs::create_dir_all(&runs)?;
        let settings = settings(context);
        let path = context.folder.join("settings.json");
        if path.exists() {
            let found: Value = serde_json::from_slice(&fs::read(&path)?)
                .map_err(|error| format!("`{}`: {error}", path.display()))?;
            if found != settings {
                let folder = context.folder.display();
                return Err(format!(
                    "`{folder}` holds runs with other options or pictures; choose another --output"
                )
                .into());
            }
        } else {
            write(&path, &serde_json::to_vec_pretty(&settings)?)?;
        }
        Ok(Self {
            runs,
            table: context.folder.join("figures.csv"),
        })
    }

    fn paths(&self, labels: &[(&str, String)]) -> (PathBuf, PathBuf) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(_, label)| label.replace(|c: char| !c.is_alphanumeric() && c != '.', "_"))
            .collect();
        let name = labels.join("-");
        let path = |ending| self.runs.join(format!("{name}.{ending}"));
        (path("json"), path("png"))
    }

    /// The run of these labels, if it was made.
    pub(crate) fn find(
        &self,
        labels: &[(&'static str, String)],
    ) -> support::Result<Option<Record>> {
        let (record, picture) = self.paths(labels);
        if !record.exists() {
            return Ok(None);
        }
        let mut found: Record = serde_json::from_slice(&fs::read(&record)?)
            .map_err(|error| format!("`{}`: {error}", record.display()))?;
        if picture.exists() {
            found.picture = Some(imaging::open(&picture, Limits::default())?);
        }
        Ok(Some(found))
    }

    /// Keeps a run: first the picture, then the record, which says that the run is whole.
    pub(crate) fn keep(
        &self,
        labels: Vec<(&'static str, String)>,
        made: Made,
    ) -> support::Result<Record> {
        let (path, picture) = self.paths(&labels);
        let owned = |(column, label): (&str, String)| (column.to_owned(), label);
        // What could not be measured, or is beyond all measure, has no place in JSON.
        let figures = made
            .figures
            .into_iter()
            .filter(|(_, value)| value.is_finite());
        let record = Record {
            labels: labels.into_iter().map(owned).collect(),
            figures: figures
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            curve: made.curve,
            picture: made.picture,
        };
        if let Some(image) = &record.picture {
            imaging::save(image, &picture, IfExists::Replace)?;
        }
        write(&path, &serde_json::to_vec(&record)?)?;
        Ok(record)
    }

    /// Writes a line for each run: its labels and its figures.
    pub(crate) fn write_table(&self, records: &[Record]) -> support::Result<()> {
        let mut columns: Vec<&String> = records.iter().flat_map(|r| r.labels.keys()).collect();
        let mut figures: Vec<&String> = records.iter().flat_map(|r| r.figures.keys()).collect();
        for names in [&mut columns, &mut figures] {
            names.sort();
            names.dedup();
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(columns.iter().chain(&figures))?;
        for record in records {
            let labels = columns.iter().map(|column| record.label(column).to_owned());
            let figures = figures.iter().map(|name| match record.figures.get(*name) {
                Some(value) => value.to_string(),
                None => String::new(),
            });
            writer.write_record(labels.chain(figures))?;
        }
        write(&self.table, &writer.into_inner()?)
    }
}

/// What the runs of a study depend on.
fn settings(context: &Context) -> Value {
    let checksum = |picture: &DynamicImage| crc32fast::hash(picture.as_bytes());
    let of = |pictures: &[(String, DynamicImage)]| -> BTreeMap<String, u32> {
        let pictures = pictures.iter();
        pictures
            .map(|(name, picture)| (name.clone(), checksum(picture)))
            .collect()
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "network": context.options.network.to_string(),
        "weights": context.options.weights_file,
        "caffe": context.options.caffe,
        "side": context.side,
        "evaluations": context.evaluations,
        "candidates": context.options.candidates,
        "photographs": of(&context.photographs),
        "exemplars": of(&context.exemplars),
    })
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> support::Result<()> {
    let written = |error| format!("cannot write `{}`: {error}", path.display());
    let part = path.with_extension("part");
    fs::write(&part, bytes).map_err(written)?;
    fs::rename(&part, path).map_err(written)?;
    Ok(())
}

//! What a run is given: whether it can go on from the checkpoint of another.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{KeptPixels, RunOptions};
use crate::device::name_of;
use crate::error::{Error, Result};
use crate::imaging::Raster;
use crate::network::Vgg;

/// All that decides a run's result: version of the crate, task, options, network, and fingerprints of its inputs. The device
/// decides its last bits; a run may go on on another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Identity(Map<String, Value>);

/// Options of a run that may differ when it goes on.
const FREE: [&str; 2] = ["evaluations", "time_limit"];

const DEVICE: &str = "device";

impl Identity {
    /// The identity of a run, if it is saved or resumed. `inputs` are named fingerprints.
    pub(crate) fn of(
        vgg: &Vgg,
        task: &str,
        (options, run): (&impl Serialize, &RunOptions),
        inputs: impl FnOnce() -> Vec<(&'static str, String)>,
    ) -> Option<Self> {
        if run.checkpoint.is_none() && run.resume.is_none() {
            return None;
        }
        let mut options = json!(options);
        if let Some(run) = options.get_mut("run").and_then(Value::as_object_mut) {
            run.retain(|name, _| !FREE.contains(&name.as_str()));
        }
        let mut identity = Map::new();
        identity.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        identity.insert("task".into(), json!(task));
        identity.insert(DEVICE.into(), json!(name_of(vgg.device())));
        identity.insert("network".into(), vgg.identity());
        identity.insert("options".into(), options);
        for (name, fingerprint) in inputs() {
            identity.insert(name.into(), json!(fingerprint));
        }
        Some(Self(identity))
    }

    /// With the picture that the run starts from, and the pixels that it keeps.
    pub(super) fn with_pictures(mut self, start: &Raster, kept: Option<&KeptPixels>) -> Self {
        let kept = kept.into_iter().flat_map(KeptPixels::rasters);
        for (name, picture) in kept.chain([("the starting picture", start)]) {
            self.0.insert(name.into(), json!(picture.fingerprint()));
        }
        self
    }

    /// Refuses to go on from the checkpoint at `path` of a run that was given something else, but for its device.
    pub(super) fn check(&self, saved: &Self, path: &Path) -> Result<()> {
        // These explain other differences.
        let first = ["version", "task"].map(str::to_owned);
        let names = first.iter().chain(self.0.keys()).chain(saved.0.keys());
        for name in names.filter(|name| *name != DEVICE) {
            let (found, expected) = (self.0.get(name), saved.0.get(name));
            if let Some((what, found, expected)) = difference(name.clone(), found, expected) {
                return Err(Error::OtherRun {
                    path: path.into(),
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// The first value that differs: its name, and both values.
fn difference(
    name: String,
    found: Option<&Value>,
    expected: Option<&Value>,
) -> Option<(String, String, String)> {
    if found == expected {
        return None;
    }
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (found, expected) {
        let mut keys = a.keys().chain(b.keys());
        return keys.find_map(|key| difference(format!("{name}.{key}"), a.get(key), b.get(key)));
    }
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Some((name, text(found), text(expected)))
}

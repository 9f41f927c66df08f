//! The devices that the results of a command are spread over, each with the network.

use burn::tensor::Device;
use ranvgg::{Size, Vgg, device};

use crate::failure::Result;
use crate::memory::{self, Need};
use crate::recall::{self, Flag};

/// The name of all devices.
const ALL: &str = "all";

/// A device that makes results, one at a time.
pub(crate) struct Station {
    pub(crate) vgg: Vgg,
    /// The device's name.
    pub(crate) name: String,
    /// What a run here may take of memory.
    pub(crate) memory: Option<u64>,
    /// Flags that make a result of this device alone.
    pub(crate) own: Vec<Flag>,
    /// The share of the free memory, where other stations' runs lie in the same.
    free: Option<f64>,
}

/// Opens the devices of these names: the best one where there are none.
pub(crate) fn open_devices(names: &[String]) -> Result<Vec<Device>> {
    check(names)?;
    Ok(match names {
        [] => vec![device::best()?],
        [all] if all == ALL => device::all()?,
        names => {
            let opened: ranvgg::Result<Vec<Device>> =
                names.iter().map(|name| device::by_name(name)).collect();
            opened?
        }
    })
}

/// Refuses what has two meanings.
fn check(names: &[String]) -> Result<()> {
    if names.len() > 1 && names.iter().any(|name| name == ALL) {
        let names = names.join(",");
        return Err(format!("--device is {names}; allowed: names, or {ALL} alone").into());
    }
    Ok(())
}

/// The one device of a command that makes one picture.
pub(crate) fn open_device(names: &[String]) -> Result<Device> {
    match names {
        [] => Ok(device::best()?),
        [name] if name != ALL => Ok(device::by_name(name)?),
        names => {
            let names = names.join(",");
            Err(format!("--device is {names}; allowed: one device, for one picture").into())
        }
    }
}

/// Stations at the devices of these names, no more than there are results. `network` makes the network of a device;
/// stations at the same device share its weights.
pub(crate) fn open(
    names: &[String],
    results: usize,
    network: impl Fn(&Device) -> Result<Vgg>,
) -> Result<Vec<Station>> {
    check(names)?;
    let most = results.max(1);
    let devices = open_devices(&names[..names.len().min(most)])?;
    let mut stations: Vec<Station> = Vec::new();
    for device in devices.into_iter().take(most) {
        let there = stations
            .iter()
            .find(|station| *station.vgg.device() == device);
        let vgg = match there {
            Some(station) => station.vgg.clone(),
            None => network(&device)?,
        };
        stations.push(Station {
            vgg,
            name: device::name_of(&device),
            memory: None,
            own: Vec::new(),
            free: None,
        });
    }
    match &mut stations[..] {
        // Where one name was typed it says the same, and reads as it was typed.
        [only] if names.len() > 1 || names.iter().any(|name| name == ALL) => {
            recall::settle(&[("device", only.name.clone())]);
        }
        [_] => {}
        several => {
            for station in several {
                station.own.push(("device", station.name.clone()));
            }
        }
    }
    Ok(stations)
}

/// Shares out the memory that runs may take, and what is free, among stations whose runs lie in the same
/// memory. Runs of resampled filters work in the host's, on any device.
pub(crate) fn share_memory(stations: &mut [Station], memory: Option<u64>, resampled: bool) {
    let places: Vec<String> = stations
        .iter()
        .map(
            |station| match memory::on_host(station.vgg.device(), resampled) {
                true => "the host".into(),
                false => station.name.clone(),
            },
        )
        .collect();
    let available = memory::available();
    for (station, place) in stations.iter_mut().zip(&places) {
        let sharing = places.iter().filter(|other| *other == place).count();
        station.memory = memory.map(|memory| memory / sharing as u64);
        if sharing > 1 {
            station.free = available.map(|free| free / sharing as f64);
            if let Some(memory) = station.memory {
                station.own.push(("memory", memory.to_string()));
            }
        }
    }
}

impl Station {
    /// Refuses a picture that needs more memory than this station's runs can have; returns a bound for one that
    /// would take most of it.
    pub(crate) fn check(
        &self,
        what: (&str, Size),
        need: Need,
        resampled: bool,
    ) -> Result<Option<u64>> {
        match self.free {
            Some(free) if memory::on_host(self.vgg.device(), resampled) => {
                memory::check_within(what, need, free)
            }
            _ => memory::check(what, need, self.vgg.device(), resampled),
        }
    }
}

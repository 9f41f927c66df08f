//! Autotuning of GPU kernels.

use crate::error::Result;

/// Turns autotuning off, in which a GPU tries several kernels for each new size and keeps the fastest one. A
/// run then starts seconds to minutes earlier and may be slower afterwards. Call it before any device is
/// opened.
///
/// Matrix products of layers whose channels are multiples of 64, which are most of the work, always use the kernel of this
/// crate; others then choose theirs by rules. For other operations Burn still tries a few kernels for coarse classes of
/// sizes.
///
/// With the crate's feature `tuning` GPUs tune once for all sizes between two powers of two. Later processes
/// reuse the results, which lie below `target/environment` in a Cargo project and else in the user's cache
/// folder. Software adapters tune only if `CUBECL_AUTOTUNE_LEVEL` asks for it. CubeCL's own settings
/// (`cubecl.toml`, `CUBECL_AUTOTUNE_LEVEL` and others) apply, too. Without the crate's features for GPUs
/// this function does nothing.
///
/// # Errors
///
/// [`Error::InvalidOption`](crate::Error::InvalidOption) if a GPU was opened before, or CubeCL's settings
/// were read.
pub fn without_tuning() -> Result<()> {
    #[cfg(feature = "cube")]
    settings::turn_off()?;
    Ok(())
}

/// Turns autotuning off for a software adapter, unless `CUBECL_AUTOTUNE_LEVEL` asks for it. On such an
/// adapter tuning takes minutes and its results do not apply to GPUs.
#[cfg(feature = "wgpu")]
pub(crate) fn no_tuning_unless_asked() {
    if std::env::var_os("CUBECL_AUTOTUNE_LEVEL").is_none() {
        // An error means that a GPU was opened before. The settings were made for it and stay.
        let _ = settings::turn_off();
    }
}

#[cfg(feature = "cube")]
pub(crate) use settings::tunes;

#[cfg(feature = "cube")]
mod settings {
    use std::sync::atomic::{AtomicBool, Ordering};

    use burn_cubecl::cubecl::config::autotune::AutotuneLevel;
    use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    use crate::error::{Error, Result};

    static TURNED_OFF: AtomicBool = AtomicBool::new(false);

    /// Whether matrix products are tuned.
    pub(crate) fn tunes() -> bool {
        !TURNED_OFF.load(Ordering::Relaxed)
    }

    pub(super) fn turn_off() -> Result<()> {
        if !tunes() {
            return Ok(());
        }
        let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
        config.autotune.level = AutotuneLevel::Minimal;
        if !CubeClRuntimeConfig::try_set(config) {
            return Err(Error::option(
                "tuning",
                "off",
                "off before the first GPU is opened",
            ));
        }
        TURNED_OFF.store(true, Ordering::Relaxed);
        Ok(())
    }
}

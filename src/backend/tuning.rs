//! Whether GPUs try out which kernels are the fastest.

use crate::error::Result;

/// Keeps GPUs from trying out which of several kernels is the fastest for each size that they meet:
/// a run starts seconds to minutes earlier, and then is slower. To be called before any device is
/// opened.
///
/// Matrix products of convolutions, which are most of the work, go by rules instead. For what else
/// Burn computes it still tries out a few kernels for coarse classes of sizes.
///
/// With the crate's feature `tuning` GPUs do try, once for all sizes between two powers of two, and the
/// results are kept for later processes: below `target/environment` of a Cargo project, elsewhere in
/// the user's cache folder. Software adapters do not, unless `CUBECL_AUTOTUNE_LEVEL` asks for it.
/// CubeCL's own settings (`cubecl.toml`, `CUBECL_AUTOTUNE_LEVEL` and others) hold too.
/// Without the crate's features for GPUs nothing is done.
///
/// # Errors
///
/// [`Error::InvalidOption`](crate::Error::InvalidOption) if a GPU was opened, or CubeCL's settings
/// were read, before.
pub fn without_tuning() -> Result<()> {
    #[cfg(feature = "cube")]
    rules::apply()?;
    Ok(())
}

/// Turns tuning off for a software adapter, on which trying kernels out takes minutes and tells
/// nothing of GPUs, unless `CUBECL_AUTOTUNE_LEVEL` asks for it.
#[cfg(feature = "wgpu")]
pub(crate) fn no_tuning_unless_asked() {
    if std::env::var_os("CUBECL_AUTOTUNE_LEVEL").is_none() {
        // Settings that were read before stay: a GPU was opened first, and they are meant for it.
        let _ = rules::apply();
    }
}

#[cfg(feature = "cube")]
pub(crate) use rules::tunes;

#[cfg(feature = "cube")]
mod rules {
    use std::sync::atomic::{AtomicBool, Ordering};

    use burn_cubecl::cubecl::config::autotune::AutotuneLevel;
    use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    use crate::error::{Error, Result};

    static RULES: AtomicBool = AtomicBool::new(false);

    /// Whether products are tried out.
    pub(crate) fn tunes() -> bool {
        !RULES.load(Ordering::Relaxed)
    }

    pub(super) fn apply() -> Result<()> {
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
        RULES.store(true, Ordering::Relaxed);
        Ok(())
    }
}

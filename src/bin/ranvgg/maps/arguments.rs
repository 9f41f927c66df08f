//! Arguments of `ranvgg maps`.

use std::path::PathBuf;

use clap::Args;
use ranvgg::{Padding, Size};

use super::format::Format;
use super::kind::Green;
use crate::config::Config;
use crate::run::Run;
use crate::values;

/// Make a set of material maps anew: albedo, normals, height, roughness, metallic, occlusion
///
/// The maps are made together, by one network for all of their channels, and fit one another as those
/// given do. The result tiles. Maps are told apart by the ends of their names, in any case, before a
/// resolution such as _2k:
///
///   albedo     _albedo _basecolor _base_color _color _diffuse _diff
///   normals    _normal _nor _nrm; OpenGL _normal_gl _normalgl _nor_gl _normal_opengl;
///              DirectX _normal_dx _normaldx _nor_dx _normal_directx
///   height     _height _disp _displacement _bump
///   roughness  _rough _roughness
///   metallic   _metal _metallic _metalness
///   occlusion  _ao _ambientocclusion _occlusion
///   packed     _orm _arm: occlusion, roughness and metallic in red, green and blue
#[derive(Args)]
#[command(verbatim_doc_comment, after_long_help = WHERE)]
pub(crate) struct Arguments {
    /// A folder with the maps of one material, or their files
    #[arg(required = true, value_name = "FOLDER|FILES")]
    pub(super) inputs: Vec<PathBuf>,

    /// Folder to write to; it is made if it is not there [default: NAME-made]
    #[arg(short, long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,

    /// Name of the material: what the names of its files begin with [default: that of the maps given]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Write each map in these formats too, beside its PNG [default: none]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(super) also: Vec<Format>,

    /// Overwrite files that exist
    #[arg(long)]
    pub(super) force: bool,

    /// Size of the result: N or WxH [default: that of the maps given]
    #[arg(long, value_parser = values::size, value_name = "N|WxH")]
    pub(super) size: Option<Size>,

    /// Size of the maps given in the result, as a factor [default: 1, less for maps much larger than
    /// the result]
    #[arg(long, value_name = "FACTOR", value_parser = values::factor)]
    pub(super) exemplar_scale: Option<f64>,

    /// Which way the normals' green points: in the result, and in normals given whose file names do not
    /// say [default: gl; of the result, that of the normals given]
    #[arg(long, value_name = "WAY")]
    pub(super) normals: Option<Green>,

    /// How the result continues at its borders: circular (it tiles), reflect, replicate or zero
    #[arg(long, default_value = "circular", value_name = "NAME")]
    pub(super) padding: Padding,

    /// Make a result that does not tile: short for --padding reflect
    #[arg(long, conflicts_with = "padding")]
    pub(super) no_tile: bool,

    /// Do not look for periods of maps that repeat themselves (rows of bricks, tiles, weaves)
    #[arg(long)]
    pub(super) no_periods: bool,

    /// How strongly patches are pulled to the nearest ones given: 1 for flowers, leaves and other
    /// things with parts; takes two to four times as long
    #[arg(long, default_value_t = 0.0, value_name = "W", value_parser = values::weight)]
    pub(super) nearest_weight: f64,

    /// Seed of the network's weights, which draws the filters
    #[arg(long, default_value_t = 0)]
    pub(super) network_seed: u64,

    /// Device: flex, wgpu, ... (see `ranvgg devices`)
    #[arg(long, value_name = "NAME")]
    pub(super) device: Option<String>,

    /// Leave out of pictures how they were made, which `ranvgg again` reads
    #[arg(long)]
    pub(super) no_metadata: bool,

    /// Print nothing but errors
    #[arg(short, long)]
    pub(super) quiet: bool,

    #[command(flatten)]
    pub(super) run: Run,

    #[command(flatten)]
    _config: Config,
}

const WHERE: &str = "\
Written are NAME_albedo.png, NAME_normal.png, NAME_height.png (16 bits), NAME_roughness.png,
NAME_metallic.png and NAME_ao.png, as far as they were given; NAME_orm.png, which packs the last three;
and NAME.gltf with NAME.bin, a quad with the material. All files are written, or none.

Where they go:
  Blender  File > Import > glTF 2.0, NAME.gltf; NAME_height.png to a Displacement node, Non-Color
  Godot    copy the folder into the project; NAME.gltf is a scene, or set the textures of a
           StandardMaterial3D (or NAME_orm.png of an ORMMaterial3D), the height as heightmap
  Bevy     asset_server.load(\"NAME.gltf#Material0\"), or the textures of a StandardMaterial; textures
           other than the albedo with is_srgb = false
  Unreal   --normals dx; import NAME_albedo.png as sRGB, NAME_normal_dx.png as Normalmap, NAME_orm.png
           as Masks without sRGB: red to Ambient Occlusion, green to Roughness, blue to Metallic";

//! Kinds of maps, and the names that files of them usually have.

use clap::ValueEnum;

/// What a map says of a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Albedo,
    Normal,
    Height,
    Roughness,
    Metallic,
    Occlusion,
}

/// Which way the green channel of normals points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Green {
    /// Up, as in OpenGL, glTF, Blender, Godot and Bevy
    Gl,
    /// Down, as in DirectX and Unreal
    Dx,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Map(Kind),
    /// Normals whose name says which way green points.
    Normals(Green),
    /// Occlusion, roughness and metallic in red, green and blue.
    Packed,
}

/// The maps of a packed file, by channel.
pub(super) const PACKED: [Kind; 3] = [Kind::Occlusion, Kind::Roughness, Kind::Metallic];

/// Suffixes without the character that parts them from the name.
const SUFFIXES: [(Content, &[&str]); 9] = [
    (
        Content::Map(Kind::Albedo),
        &[
            "albedo",
            "basecolor",
            "base_color",
            "basecolour",
            "base_colour",
            "color",
            "colour",
            "col",
            "diffuse",
            "diff",
        ],
    ),
    (
        Content::Normals(Green::Gl),
        &[
            "normal_gl",
            "normalgl",
            "nor_gl",
            "norgl",
            "normal_opengl",
            "normalopengl",
            "nor_opengl",
        ],
    ),
    (
        Content::Normals(Green::Dx),
        &[
            "normal_dx",
            "normaldx",
            "nor_dx",
            "nordx",
            "normal_directx",
            "normaldirectx",
            "nor_directx",
        ],
    ),
    (
        Content::Map(Kind::Normal),
        &["normal", "normals", "nor", "norm", "nrm"],
    ),
    (
        Content::Map(Kind::Height),
        &["height", "disp", "displacement", "bump"],
    ),
    (Content::Map(Kind::Roughness), &["rough", "roughness"]),
    (
        Content::Map(Kind::Metallic),
        &["metal", "metallic", "metalness"],
    ),
    (
        Content::Map(Kind::Occlusion),
        &["ao", "ambientocclusion", "ambient_occlusion", "occlusion"],
    ),
    (Content::Packed, &["orm", "arm"]),
];

/// What `--help` and messages say of suffixes.
pub(super) const USUAL: &str = "_albedo, _basecolor, _diffuse; _normal, _nor_gl, _nor_dx, _normaldx; \
    _height, _disp, _bump; _rough, _roughness; _metal, _metallic; _ao, _occlusion; _orm, _arm";

impl Kind {
    /// The suffix of a file that is written.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Albedo => "albedo",
            Self::Normal => "normal",
            Self::Height => "height",
            Self::Roughness => "roughness",
            Self::Metallic => "metallic",
            Self::Occlusion => "ao",
        }
    }
}

/// The name of a material and the content of a file, from the file's name without its ending. Of
/// `Bricks_2K_NormalGL` and `bricks_nor_gl_2k` these are the normals of `Bricks_2K` and `bricks`.
pub(super) fn recognise(stem: &str) -> Option<(&str, Content)> {
    let folded = |c: char| match c {
        '-' | ' ' | '.' => '_',
        _ => c.to_ascii_lowercase(),
    };
    // Letters keep their length in bytes, so that places of one are places of the other.
    let plain: String = stem.chars().map(folded).collect();
    let plain = without_resolution(&plain);
    let mut best: Option<(usize, Content)> = None;
    for (content, suffixes) in SUFFIXES {
        for suffix in suffixes {
            let Some(rest) = plain.strip_suffix(suffix) else {
                continue;
            };
            let parted = rest.is_empty() || rest.ends_with('_');
            if parted && best.is_none_or(|(shortest, _)| rest.len() < shortest) {
                best = Some((rest.len(), content));
            }
        }
    }
    let (end, content) = best?;
    Some((&stem[..end.saturating_sub(1)], content))
}

/// Without what says how many pixels or bits a file has: `_2k`, `_1024`, `_16bit`, `_png`.
fn without_resolution(plain: &str) -> &str {
    let Some((rest, last)) = plain.rsplit_once('_') else {
        return plain;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pixels = last.strip_suffix('k').is_some_and(number) || (last.len() > 2 && number(last));
    let bits = last.strip_suffix("bit").is_some_and(number);
    match pixels || bits || ["png", "jpg", "tif", "exr"].contains(&last) {
        true => without_resolution(rest),
        false => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_recognised() {
        let known = [
            (
                "Rock035_2K-PNG_Color",
                "Rock035_2K-PNG",
                Content::Map(Kind::Albedo),
            ),
            (
                "Rock035_2K-PNG_NormalGL",
                "Rock035_2K-PNG",
                Content::Normals(Green::Gl),
            ),
            (
                "brick_wall_001_nor_dx_4k",
                "brick_wall_001",
                Content::Normals(Green::Dx),
            ),
            (
                "brick_wall_001_diff_1k",
                "brick_wall_001",
                Content::Map(Kind::Albedo),
            ),
            ("brick_wall_001_arm_1k", "brick_wall_001", Content::Packed),
            ("moss_Base_Color", "moss", Content::Map(Kind::Albedo)),
            ("moss-roughness", "moss", Content::Map(Kind::Roughness)),
            ("moss_normal_1024", "moss", Content::Map(Kind::Normal)),
            (
                "moss AmbientOcclusion",
                "moss",
                Content::Map(Kind::Occlusion),
            ),
            ("height", "", Content::Map(Kind::Height)),
        ];
        for (stem, name, content) in known {
            assert_eq!(recognise(stem), Some((name, content)), "{stem}");
        }
        for unknown in ["moss", "preview", "coral", "bandisp", "météo"] {
            assert_eq!(recognise(unknown), None, "{unknown}");
        }
    }
}

//! `ranvgg maps`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use image::{ColorType, DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use ranvgg::imaging::{self, Limits};

const SIDE: u32 = 48;

/// The height of a surface of bumps, and its slopes.
fn bumps(x: u32, y: u32) -> (f32, f32, f32) {
    let (a, b) = (0.37 * x as f32, 0.29 * y as f32 + 0.11 * x as f32);
    let slope = 0.37 * a.cos() + 0.11 * b.cos();
    (a.sin() + b.sin(), slope, 0.29 * b.cos())
}

fn save(image: impl Into<DynamicImage>, folder: &Path, name: &str) {
    image.into().save(folder.join(name)).unwrap();
}

fn normals() -> RgbImage {
    ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        let (_, across, down) = bumps(x, y);
        let length = (across * across + down * down + 1.0).sqrt();
        let normal = [-across, down, 1.0].map(|value| (value / length + 1.0) * 127.5);
        Rgb(normal.map(|value| value.round() as u8))
    })
}

fn grey(of: impl Fn(f32) -> f32) -> GrayImage {
    ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([(of(bumps(x, y).0) * 255.0) as u8]))
}

/// A set with a packed map whose metallic is 0 throughout.
fn material(folder: &Path) {
    let albedo: RgbImage = ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        let level = bumps(x, y).0;
        Rgb([120.0 + 50.0 * level, 90.0 + 30.0 * level, 60.0].map(|value| value as u8))
    });
    let height: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        Luma([(32_768.0 + 15_000.0 * bumps(x, y).0) as u16])
    });
    let packed: RgbImage = ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        let level = bumps(x, y).0;
        Rgb([200.0 + 25.0 * level, 150.0 - 40.0 * level, 0.0].map(|value| value as u8))
    });
    save(albedo, folder, "moss_BaseColor_1k.png");
    save(normals(), folder, "moss_normal_1k.png");
    save(height, folder, "moss_disp_1k.png");
    save(packed, folder, "moss_arm_1k.png");
    fs::write(folder.join("readme.txt"), "a text").unwrap();
    save(grey(|_| 0.5), folder, "preview.png");
}

fn maps(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ranvgg"));
    command.current_dir(folder).arg("maps").args(arguments);
    command.args(["--device", "flex"]).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn refused(arguments: &[&str], folder: &Path) -> String {
    let before = names(folder);
    let output = maps(arguments, folder);
    let said = said(&output);
    assert!(!output.status.success(), "{said}");
    assert_eq!(names(folder), before, "nothing was written");
    said.lines().last().unwrap_or_default().to_owned()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn read(folder: &Path, name: &str) -> DynamicImage {
    imaging::open_data(folder.join(name), Limits::default()).unwrap()
}

#[test]
fn a_set_is_made_anew_with_its_kinds_bits_and_a_material() {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().join("given");
    fs::create_dir(&given).unwrap();
    material(&given);
    let arguments = [
        "given", "-o", "made", "--size", "64x56", "--seed", "3", "--also", "tif",
    ];
    let output = maps(
        &[&arguments[..], &["--evaluations", "5"]].concat(),
        folder.path(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("preview.png"), "{}", said(&output));
    let made = folder.path().join("made");
    let expected = [
        "moss.bin",
        "moss.gltf",
        "moss_albedo.png",
        "moss_albedo.tif",
        "moss_ao.png",
        "moss_ao.tif",
        "moss_height.png",
        "moss_height.tif",
        "moss_metallic.png",
        "moss_metallic.tif",
        "moss_normal.png",
        "moss_normal.tif",
        "moss_orm.png",
        "moss_roughness.png",
        "moss_roughness.tif",
    ];
    assert_eq!(
        read(&made, "moss_height.tif"),
        read(&made, "moss_height.png")
    );
    assert_eq!(names(&made), expected.map(str::to_owned).into());
    for (name, colour) in [
        ("moss_albedo.png", ColorType::Rgb8),
        ("moss_normal.png", ColorType::Rgb8),
        ("moss_height.png", ColorType::L16),
        ("moss_roughness.png", ColorType::L8),
        ("moss_metallic.png", ColorType::L8),
        ("moss_ao.png", ColorType::L8),
        ("moss_orm.png", ColorType::Rgb8),
    ] {
        let map = read(&made, name);
        assert_eq!((map.width(), map.height()), (64, 56), "{name}");
        assert_eq!(map.color(), colour, "{name}");
        let how = imaging::provenance(made.join(name)).unwrap().unwrap();
        assert_eq!(how.task, "maps");
        assert_eq!(how.arguments.first().map(String::as_str), Some("maps"));
        assert!(!how.arguments.iter().any(|word| word.contains("made")));
        assert_eq!(how.inputs.len(), 4);
        assert_eq!(how.network.unwrap()["padding"], "circular", "it tiles");
        assert_eq!(how.seeds["start"], 3);
    }
    let again = ["again", "made/moss_albedo.png", "-o", "twice"];
    crate::made(folder.path(), &again);
    let twice = folder.path().join("twice");
    assert_eq!(names(&twice), names(&made));
    assert_eq!(
        read(&twice, "moss_height.png"),
        read(&made, "moss_height.png")
    );
    for Rgb(pixel) in read(&made, "moss_normal.png").to_rgb8().pixels() {
        let square = pixel.map(|value| (f32::from(value) / 127.5 - 1.0).powi(2));
        let length = square.iter().sum::<f32>().sqrt();
        assert!(
            (length - 1.0).abs() <= 1.0 / 127.0,
            "{pixel:?} has {length}"
        );
    }
    let packed = read(&made, "moss_orm.png").to_rgb8();
    let channels = ["moss_ao.png", "moss_roughness.png", "moss_metallic.png"];
    for (channel, name) in channels.into_iter().enumerate() {
        let map = read(&made, name).to_luma8();
        for (packed, Luma([value])) in packed.pixels().zip(map.pixels()) {
            assert_eq!(packed.0[channel], *value, "{name}");
        }
    }
    assert!(
        read(&made, "moss_metallic.png")
            .to_luma8()
            .iter()
            .all(|value| *value == 0)
    );
    assert_material(&made);
}

/// The file loads, and names textures that are there.
fn assert_material(folder: &Path) {
    let gltf = gltf::Gltf::open(folder.join("moss.gltf")).unwrap();
    let material = gltf.materials().next().unwrap();
    let surface = material.pbr_metallic_roughness();
    let file = |texture: gltf::Texture<'_>| match texture.source().source() {
        gltf::image::Source::Uri { uri, .. } => uri.to_owned(),
        gltf::image::Source::View { .. } => panic!("no file"),
    };
    let albedo = file(surface.base_color_texture().unwrap().texture());
    let rough = file(surface.metallic_roughness_texture().unwrap().texture());
    let normal = file(material.normal_texture().unwrap().texture());
    let occlusion = file(material.occlusion_texture().unwrap().texture());
    assert_eq!(albedo, "moss_albedo.png");
    assert_eq!([&rough, &occlusion], ["moss_orm.png"; 2]);
    assert_eq!(normal, "moss_normal.png");
    for name in [albedo, rough, normal] {
        assert!(folder.join(&name).exists(), "{name}");
    }
    let buffer = fs::read(folder.join("moss.bin")).unwrap();
    assert_eq!(buffer.len(), gltf.buffers().next().unwrap().length());
    let mesh = gltf.meshes().next().unwrap();
    let quad = mesh.primitives().next().unwrap();
    let reader = quad.reader(|_| Some(&buffer[..]));
    let indices: Vec<u32> = reader.read_indices().unwrap().into_u32().collect();
    assert_eq!(indices, [0, 1, 2, 0, 2, 3]);
    let corners: Vec<[f32; 3]> = reader.read_positions().unwrap().collect();
    // Counter-clockwise as seen from where the normals point.
    let [a, b, c] = [corners[0], corners[1], corners[2]];
    assert!((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0.0);
    assert!(reader.read_normals().unwrap().all(|normal| normal[2] > 0.9));
    assert!(
        reader
            .read_tangents()
            .unwrap()
            .all(|it| it.map(f32::to_bits) == [1.0f32, 0.0, 0.0, 1.0].map(f32::to_bits))
    );
    assert_eq!(reader.read_tex_coords(0).unwrap().into_f32().count(), 4);
}

#[test]
fn normals_for_directx_are_known_by_their_name_and_turned_for_gltf() {
    let folder = tempfile::tempdir().unwrap();
    save(normals(), folder.path(), "moss_nor_dx.png");
    save(
        grey(|level| 0.5 + 0.2 * level),
        folder.path(),
        "moss_rough.tif",
    );
    let arguments = [
        "moss_nor_dx.png",
        "moss_rough.tif",
        "--evaluations",
        "3",
        "--no-tile",
        "-q",
    ];
    let output = maps(&arguments, folder.path());
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        said(&output)
    );
    let made = folder.path().join("moss-made");
    let up = read(&made, "moss_normal.png").to_rgb8();
    let down = read(&made, "moss_normal_dx.png").to_rgb8();
    for (Rgb(up), Rgb(down)) in up.pixels().zip(down.pixels()) {
        assert_eq!(up[1], 255 - down[1]);
        assert_eq!([up[0], up[2]], [down[0], down[2]]);
    }
    assert!(gltf::Gltf::open(made.join("moss.gltf")).is_ok());
    let how = imaging::provenance(made.join("moss_normal.png"));
    assert_eq!(how.unwrap().unwrap().network.unwrap()["padding"], "reflect");
}

#[test]
fn sets_that_do_not_fit_together_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save(normals(), path, "a_normal.png");
    save(RgbImage::new(32, 40), path, "a_albedo.png");
    save(grey(|level| 0.5 + 0.2 * level), path, "b_rough.png");
    save(grey(|level| 0.5 + 0.2 * level), path, "a_disp.png");
    save(grey(|level| 0.5 + 0.2 * level), path, "a_height.png");
    save(grey(|_| 0.5), path, "a_metal.png");
    save(grey(|_| 0.5), path, "other.png");
    for (arguments, parts) in [
        (
            &["a_normal.png", "a_albedo.png"][..],
            &["a_normal.png` is 48x48", "a_albedo.png` is 32x40"][..],
        ),
        (
            &["a_normal.png", "b_rough.png"],
            &["`a`", "`b`", "two materials"],
        ),
        (
            &["a_disp.png", "a_height.png"],
            &["a_disp.png", "a_height.png", "height"],
        ),
        (&["other.png"], &["other.png", "_albedo"]),
        (&["a_metal.png"], &["one value"]),
        (
            &["a_nothing_normal.png"],
            &["a_nothing_normal.png", "no file"],
        ),
        (
            &["a_normal.png", "-o", "no/such"],
            &["no", "does not exist"],
        ),
        (
            &["a_normal.png", "-o", "other.png"],
            &["other.png", "no folder"],
        ),
        (&["a_normal.png", "--name", "../up"], &["--name", "../up"]),
    ] {
        let said = refused(arguments, path);
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
    }
    let empty = path.join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(refused(&["empty"], path).contains("no map in `empty`"));
}

#[test]
fn files_that_exist_are_kept_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save(grey(|level| 0.5 + 0.2 * level), path, "a_rough.png");
    let made = path.join("a-made");
    fs::create_dir(&made).unwrap();
    fs::write(made.join("a_orm.png"), b"precious").unwrap();
    fs::write(made.join("notes.txt"), b"mine").unwrap();
    let said = refused(&["a_rough.png"], path);
    assert!(
        said.contains("a_orm.png") && said.contains("--force"),
        "{said}"
    );
    assert_eq!(names(&made).len(), 2);
    let output = maps(&["a_rough.png", "--force", "--evaluations", "3"], path);
    assert!(output.status.success());
    let expected = [
        "a.bin",
        "a.gltf",
        "a_orm.png",
        "a_roughness.png",
        "notes.txt",
    ];
    assert_eq!(names(&made), expected.map(str::to_owned).into());
    assert_eq!(fs::read(made.join("notes.txt")).unwrap(), b"mine");
    assert!(imaging::open(made.join("a_orm.png"), Limits::default()).is_ok());
}

/// A file of a set that is a link is replaced where it leads, and stays as private as it was.
#[cfg(unix)]
#[test]
fn force_follows_links_of_a_set() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    save(grey(|level| 0.5 + 0.2 * level), folder, "moss_height.png");
    for name in ["made", "far"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let far = folder.join("far/private.png");
    fs::write(&far, "old").unwrap();
    fs::set_permissions(&far, fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.join("made/moss_height.png");
    symlink("../far/private.png", &link).unwrap();
    let line = [
        "moss_height.png",
        "-o",
        "made",
        "--force",
        "--evaluations",
        "1",
    ];
    let output = maps(&line, folder);
    assert!(output.status.success(), "{}", said(&output));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(image::open(&far).is_ok());
    assert_eq!(
        fs::metadata(&far).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(names(&folder.join("far")).len(), 1);
    // A link that leads nowhere is found before the work, whatever the file's ending.
    symlink("nowhere", folder.join("made/dangling")).unwrap();
    fs::rename(folder.join("made/dangling"), folder.join("made/moss.gltf")).unwrap();
    let said = refused(&line, folder);
    assert!(
        said.contains("moss.gltf") && said.contains("leads nowhere"),
        "{said}"
    );
}

#[cfg(feature = "exr")]
#[test]
fn openexr_is_read_within_its_range() {
    let folder = tempfile::tempdir().unwrap();
    let level = |scale: f32| {
        image::Rgb32FImage::from_fn(SIDE, SIDE, |x, y| Rgb([(bumps(x, y).0 + 2.0) * scale; 3]))
    };
    save(level(0.25), folder.path(), "a_disp.exr");
    save(level(2.0), folder.path(), "b_disp.exr");
    let output = maps(&["a_disp.exr", "--evaluations", "3"], folder.path());
    assert!(output.status.success(), "{}", said(&output));
    let made = read(&folder.path().join("a-made"), "a_height.png");
    assert_eq!(made.color(), ColorType::L16);
    let said = refused(&["b_disp.exr"], folder.path());
    assert!(
        said.contains("b_disp.exr") && said.contains("from 0 to 1"),
        "{said}"
    );
}

//! A glTF 2.0 file that shows a material on a quad.

use serde_json::{Value, json};

/// The files of a material's textures, by name.
pub(super) struct Material<'a> {
    pub(super) name: &'a str,
    pub(super) albedo: Option<&'a str>,
    /// Whether the albedo has transparency.
    pub(super) transparent: bool,
    /// Normals with green up.
    pub(super) normal: Option<&'a str>,
    /// Occlusion, roughness and metallic in red, green and blue.
    pub(super) packed: Option<&'a str>,
    /// Whether occlusion, and roughness or metallic, are more than what stands for a missing map.
    pub(super) occluded: bool,
    pub(super) rough_or_metallic: bool,
}

/// Corners of a quad from -1 to 1, seen from the front: position, then place in the texture, whose
/// first row is the upper one.
const CORNERS: [[f32; 5]; 4] = [
    [-1.0, -1.0, 0.0, 0.0, 1.0],
    [1.0, -1.0, 0.0, 1.0, 1.0],
    [1.0, 1.0, 0.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0, 0.0, 0.0],
];

const TRIANGLES: [u16; 6] = [0, 1, 2, 0, 2, 3];

/// The quad's buffer: positions, normals, tangents, places in the texture, indices. The tangent points
/// to the texture's right, and its sign says that green is up.
pub(super) fn buffer() -> Vec<u8> {
    let positions = CORNERS.iter().flat_map(|corner| corner[..3].to_vec());
    let normals = CORNERS.iter().flat_map(|_| [0.0, 0.0, 1.0]);
    let places = CORNERS.iter().flat_map(|corner| corner[3..].to_vec());
    let tangents = CORNERS.iter().flat_map(|_| [1.0, 0.0, 0.0, 1.0]);
    let floats = positions.chain(normals).chain(tangents).chain(places);
    let mut bytes: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
    bytes.extend(TRIANGLES.iter().flat_map(|index| index.to_le_bytes()));
    bytes
}

/// The document; `buffer` is the name of the file with [`buffer()`].
pub(super) fn document(material: &Material<'_>, buffer: &str) -> Value {
    let mut images: Vec<Value> = Vec::new();
    let mut textures: Vec<Value> = Vec::new();
    let mut texture = |file: Option<&str>| {
        let file = file?;
        images.push(json!({ "uri": escaped(file), "mimeType": "image/png" }));
        textures.push(json!({ "sampler": 0, "source": images.len() - 1 }));
        Some(json!({ "index": textures.len() - 1 }))
    };
    let albedo = texture(material.albedo);
    let normal = texture(material.normal);
    let packed = texture(material.packed);

    let mut surface = json!({ "metallicFactor": 0.0, "roughnessFactor": 1.0 });
    let mut described = json!({ "name": material.name });
    if let Some(albedo) = albedo {
        surface["baseColorTexture"] = albedo;
        if material.transparent {
            described["alphaMode"] = json!("BLEND");
        }
    }
    if let Some(packed) = &packed {
        if material.rough_or_metallic {
            surface["metallicRoughnessTexture"] = packed.clone();
            surface["metallicFactor"] = json!(1.0);
        }
        if material.occluded {
            described["occlusionTexture"] = packed.clone();
        }
    }
    if let Some(normal) = normal {
        described["normalTexture"] = normal;
    }
    described["pbrMetallicRoughness"] = surface;

    let mut document = json!({
        "asset": {
            "version": "2.0",
            "generator": concat!("ranvgg ", env!("CARGO_PKG_VERSION")),
        },
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [{ "name": material.name, "mesh": 0 }],
        "meshes": [{
            "name": material.name,
            "primitives": [{
                "attributes": { "POSITION": 0, "NORMAL": 1, "TANGENT": 2, "TEXCOORD_0": 3 },
                "indices": 4,
                "material": 0,
            }],
        }],
        "materials": [described],
        "buffers": [{ "uri": escaped(buffer), "byteLength": 204 }],
        "bufferViews": [
            { "buffer": 0, "byteOffset": 0, "byteLength": 48, "target": 34962 },
            { "buffer": 0, "byteOffset": 48, "byteLength": 48, "target": 34962 },
            { "buffer": 0, "byteOffset": 96, "byteLength": 64, "target": 34962 },
            { "buffer": 0, "byteOffset": 160, "byteLength": 32, "target": 34962 },
            { "buffer": 0, "byteOffset": 192, "byteLength": 12, "target": 34963 },
        ],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3",
              "min": [-1.0, -1.0, 0.0], "max": [1.0, 1.0, 0.0] },
            { "bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC3" },
            { "bufferView": 2, "componentType": 5126, "count": 4, "type": "VEC4" },
            { "bufferView": 3, "componentType": 5126, "count": 4, "type": "VEC2" },
            { "bufferView": 4, "componentType": 5123, "count": 6, "type": "SCALAR" },
        ],
    });
    // Empty lists are not allowed.
    if !images.is_empty() {
        document["images"] = images.into();
        document["textures"] = textures.into();
        // Linear with mipmaps, repeated both ways.
        document["samplers"] =
            json!([{ "magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497 }]);
    }
    document
}

/// A file's name as a relative reference.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

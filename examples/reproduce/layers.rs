//! Reconstructions from every kind of layer: convolutions, poolings, fully connected layers.

use ranvgg::InvertOptions;

use crate::archive::Record;
use crate::inversions::{cost, grid, inverted, published};
use crate::networks::{RANDOM, has, network, with_trained};
use crate::options::Context;
use crate::page::Page;
use crate::study::{Defaults, Study, Unit};
use crate::support;

pub(crate) struct Layers;

const LAYERS: [&str; 18] = [
    "conv1_1", "pool1", "conv2_1", "pool2", "conv3_1", "pool3", "conv4_1", "pool4", "conv5_1",
    "pool5", "conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8",
];
/// The published form, and this crate's.
const FORMS: [&str; 2] = ["published", "default"];

impl Study for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 224,
            evaluations: 200,
            draws: 1,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        let mut units = Vec::new();
        let layers = context.layers(&LAYERS)?;
        let kinds = with_trained(context, &[RANDOM]);
        for &kind in &kinds {
            for (name, picture) in &context.photographs {
                for &layer in layers.iter().filter(|layer| has(context, kind, **layer)) {
                    for form in FORMS {
                        let labels: [(_, &dyn ToString); 4] = [
                            ("picture", name),
                            ("layer", &layer),
                            ("kind", &kind),
                            ("form", &form),
                        ];
                        let cost = cost(context, context.evaluations, layer);
                        units.push(Unit::new(&labels, cost, move |watch| {
                            let vgg = network(context, kind, 0)?;
                            let options = options(context, form);
                            inverted(&vgg, picture, layer, &options, watch)
                        }));
                    }
                }
            }
        }
        Ok(units)
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Reconstructions by layer");
        page.text(format!(
            "Each picture comes back from its features at one layer alone, from noise, in {} \
             evaluations, at {} pixels. The published form asks for the features and nothing else; \
             the default of this crate goes from coarse to fine and adds a little total variation. \
             Below each picture: relative error of the features, decibels.",
            context.evaluations, context.side
        ));
        let layers = context.layers(&LAYERS)?;
        let mut rows = Vec::new();
        for form in FORMS {
            for kind in with_trained(context, &[RANDOM]) {
                rows.push((
                    format!("{kind}, {form}"),
                    vec![("kind", kind), ("form", form)],
                ));
            }
        }
        for photograph in &context.photographs {
            page.pictures(grid(records, photograph, &layers, &rows));
        }
        Ok(page)
    }
}

fn options(context: &Context, form: &str) -> InvertOptions {
    let mut options = match form {
        "published" => published(context.evaluations),
        _ => InvertOptions::default(),
    };
    options.run.evaluations = Some(context.evaluations);
    options
}

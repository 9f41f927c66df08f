//! Random against trained weights, by pooling layer.

use crate::archive::Record;
use crate::inversions::{drawings, first_draws, grid, units, values};
use crate::networks::{RANDOM, with_trained};
use crate::options::Context;
use crate::page::Page;
use crate::statistics::Summary;
use crate::study::{Defaults, Study, Unit};
use crate::support;

pub(crate) struct Trained;

const LAYERS: [&str; 5] = ["pool1", "pool2", "pool3", "pool4", "pool5"];

impl Study for Trained {
    fn name(&self) -> &'static str {
        "trained"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 160,
            evaluations: 200,
            draws: 5,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        if context.trained.is_none() {
            return Err("`trained` compares with trained weights: --weights-file FILE".into());
        }
        Ok(units(context, &context.layers(&LAYERS)?, &[RANDOM]))
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Random against trained weights");
        page.text(format!(
            "Reconstructions in the published form, {} evaluations, {} pixels: {} through {} random \
             networks with average pooling, and through the trained one with the maxima it was \
             trained with and with averages in their place.",
            context.evaluations,
            context.side,
            context.options.network,
            context.draws,
        ));
        let layers = context.layers(&LAYERS)?;
        let kinds = with_trained(context, &[RANDOM]);
        drawings(&mut page, records, ("All pictures", &[]), &layers, &kinds)?;
        let mut rows = Vec::new();
        for (name, _) in &context.photographs {
            for layer in &layers {
                for kind in &kinds {
                    let layer = layer.to_string();
                    let wanted = [
                        ("picture", name.as_str()),
                        ("layer", &layer),
                        ("kind", kind),
                    ];
                    let mut row = vec![name.clone(), layer.clone(), (*kind).to_owned()];
                    for figure in ["error", "psnr", "ssim"] {
                        let summary = Summary::of(&values(records, &wanted, figure));
                        row.push(summary.map_or_else(|| "–".into(), |summary| summary.short()));
                    }
                    rows.push(row);
                }
            }
        }
        let heads = [
            "picture",
            "layer",
            "network",
            "relative error",
            "PSNR, dB",
            "SSIM",
        ];
        page.table(&heads, rows);
        for photograph in &context.photographs {
            page.pictures(grid(records, photograph, &layers, &first_draws(&kinds)));
        }
        Ok(page)
    }
}

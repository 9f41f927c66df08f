//! How much reconstructions vary from draw to draw: purely random networks and greedy stacks.

use crate::archive::Record;
use crate::inversions::{self, FIGURES, drawings, first_draws, grid, values};
use crate::networks::{RANDOM, STACKED, stacking, with_trained};
use crate::options::Context;
use crate::page::Page;
use crate::statistics::{Summary, number};
use crate::study::{Defaults, Study, Unit};
use crate::support;

pub(crate) struct Variation;

const LAYERS: [&str; 6] = ["conv3_1", "pool3", "conv4_1", "pool4", "conv3", "conv5"];

impl Study for Variation {
    fn name(&self) -> &'static str {
        "variation"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 96,
            evaluations: 200,
            draws: 20,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        let layers = context.layers(&LAYERS)?;
        let reference = &context.photographs[0].1;
        let stacks = (0..context.draws).map(|draw| stacking(context, reference, &layers, draw));
        let inversions = inversions::units(context, &layers, &[RANDOM, STACKED]);
        Ok(stacks.chain(inversions).collect())
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Variation from draw to draw");
        page.text(format!(
            "{} draws of {}: purely random, and stacked greedily with {} candidates for each layer, \
             chosen by how well the first picture, {}, comes back. Each is inverted in the published \
             form, {} evaluations, {} pixels, from the same noise. Boxes reach from the lower to the \
             upper quartile, whiskers from the least to the most; the line is the median, the cross \
             the mean.",
            context.draws,
            context.options.network,
            context.options.candidates,
            context.photographs[0].0,
            context.evaluations,
            context.side,
        ));
        let layers = context.layers(&LAYERS)?;
        let kinds = with_trained(context, &[RANDOM, STACKED]);
        for (name, _) in &context.photographs {
            let of_picture = (name.as_str(), &[("picture", name.as_str())][..]);
            drawings(&mut page, records, of_picture, &layers, &kinds)?;
        }
        page.heading("Figures");
        page.text(
            "Difference: mean of the stacked less mean of the random ones, with its standard error. \
             Spread: standard deviation of the stacked divided by that of the random ones.",
        );
        for (figure, axis, _) in FIGURES {
            let heads = [
                "picture",
                "layer",
                axis,
                "least",
                "lower quartile",
                "median",
                "upper quartile",
                "most",
                "difference",
                "spread",
            ];
            page.table(&heads, self.rows(context, records, &kinds, figure)?);
        }
        for photograph in &context.photographs {
            page.pictures(grid(records, photograph, &layers, &first_draws(&kinds)));
        }
        Ok(page)
    }
}

impl Variation {
    /// A line for each picture, layer and kind of network.
    fn rows(
        &self,
        context: &Context,
        records: &[Record],
        kinds: &[&str],
        figure: &str,
    ) -> support::Result<Vec<Vec<String>>> {
        let mut rows = Vec::new();
        for (name, _) in &context.photographs {
            for layer in context.layers(&LAYERS)? {
                let layer = layer.to_string();
                let of = |kind: &str| {
                    let wanted = [
                        ("picture", name.as_str()),
                        ("layer", &layer),
                        ("kind", kind),
                    ];
                    Summary::of(&values(records, &wanted, figure))
                };
                for kind in kinds {
                    let Some(own) = of(kind) else { continue };
                    let mut row = vec![
                        name.clone(),
                        layer.clone(),
                        format!("{kind}: {}", own.short()),
                    ];
                    let places = [own.least, own.lower, own.median, own.upper, own.most];
                    row.extend(places.map(number));
                    if let (&STACKED, Some(random)) = (kind, of(RANDOM)) {
                        let error = own.error().hypot(random.error());
                        let difference = own.mean - random.mean;
                        row.push(format!("{} ± {}", number(difference), number(error)));
                        row.push(number(own.deviation / random.deviation));
                    }
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }
}

//! How the loss falls with the number of evaluations.

use crate::archive::Record;
use crate::charts::{Curves, curves};
use crate::inversions::units;
use crate::networks::{RANDOM, with_trained};
use crate::options::Context;
use crate::page::Page;
use crate::statistics::number;
use crate::study::{Defaults, Study, Unit};
use crate::support;

pub(crate) struct Convergence;

const LAYERS: [&str; 6] = ["pool1", "pool2", "conv3_1", "pool3", "pool4", "conv3"];

impl Study for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 96,
            evaluations: 2000,
            draws: 1,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        Ok(units(context, &context.layers(&LAYERS)?, &[RANDOM]))
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Convergence");
        page.text(format!(
            "Relative error of the features, |F(x) - F(picture)|² / |F(picture)|², at the best point \
             so far of an inversion in the published form, {} pixels; a line for each picture and \
             draw.",
            context.side
        ));
        let kinds = with_trained(context, &[RANDOM]);
        let marks: Vec<usize> = [50, 100, 200, 500, 1000, 2000, 4000]
            .into_iter()
            .filter(|mark| *mark <= context.evaluations)
            .collect();
        let mut rows = Vec::new();
        for layer in context.layers(&LAYERS)? {
            let layer = layer.to_string();
            let mut drawn = Vec::new();
            for kind in &kinds {
                let wanted = [("layer", layer.as_str()), ("kind", *kind)];
                let of_kind = || records.iter().filter(|record| record.is(&wanted));
                drawn.push((
                    (*kind).to_owned(),
                    of_kind().map(|record| record.curve.clone()).collect(),
                ));
                for record in of_kind() {
                    let labels = ["picture", "kind", "draw"].map(|column| record.label(column));
                    let mut row = vec![layer.clone()];
                    row.extend(labels.map(str::to_owned));
                    row.extend(marks.iter().map(|mark| {
                        let mut passed = record.curve.iter().rev();
                        let at = passed.find(|(evaluation, _)| evaluation <= mark);
                        at.map_or_else(|| "–".into(), |(_, value)| number(*value))
                    }));
                    row.push(number(record.figure("psnr")));
                    rows.push(row);
                }
            }
            let chart = curves(&Curves {
                title: layer.clone(),
                axis: "relative error".into(),
                kinds: drawn,
            })?;
            chart.into_iter().for_each(|chart| page.drawing(chart));
        }
        let marks: Vec<String> = marks.iter().map(|mark| format!("after {mark}")).collect();
        let mut heads = vec!["layer", "picture", "network", "draw"];
        heads.extend(marks.iter().map(String::as_str));
        heads.push("PSNR at the end, dB");
        page.table(&heads, rows);
        Ok(page)
    }
}

//! What the settings that the paper leaves open change.

use crate::archive::Record;
use crate::charts::{Boxes, boxes};
use crate::grid::{Cell, Grid};
use crate::inversions::{FIGURES, values};
use crate::options::Context;
use crate::page::Page;
use crate::statistics::{Summary, number};
use crate::study::{Defaults, Study, Unit};
use crate::support;
use crate::sweeps::{self, INVERTED, two};

pub(crate) struct Settings;

impl Study for Settings {
    fn name(&self) -> &'static str {
        "settings"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 128,
            evaluations: 200,
            draws: 5,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        sweeps::units(context)
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Settings that the paper leaves open");
        page.text(format!(
            "{}, {} draws, {} evaluations, {} pixels.",
            context.options.network, context.draws, context.evaluations, context.side
        ));
        show_inversions(
            &mut page,
            context,
            records,
            "biases",
            "Standard deviation of the biases, in \
            units of the activations that they are added to; networks drawn anew for each draw",
        )?;
        show_inversions(
            &mut page,
            context,
            records,
            "candidates",
            "Candidates of each layer of a \
            greedy stack; with one it is a random network. On the picture that it was chosen by, and \
            on another",
        )?;
        show_pictures(
            &mut page,
            context,
            records,
            "biases of textures",
            "Textures by the standard \
            deviation of the biases",
        );
        show_pictures(
            &mut page,
            context,
            records,
            "content weight",
            "Weight of the content, in units \
            of one statistic of the style",
        );
        show_pictures(
            &mut page,
            context,
            records,
            "total variation",
            "Weight of the total variation, \
            in units of one statistic of the style",
        );
        show_pictures(
            &mut page,
            context,
            records,
            "content layer",
            "Layer of the content, weight 3",
        );
        show_pictures(
            &mut page,
            context,
            records,
            "measured at",
            "Image at which the weights of the \
            layers are measured: Gram matrices of five layers, one size, in the published form",
        );
        Ok(page)
    }
}

/// The values of a setting, in the order in which they were run.
fn steps(records: &[Record], setting: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for record in records
        .iter()
        .filter(|record| record.label("setting") == setting)
    {
        if !steps.iter().any(|step| step == record.label("value")) {
            steps.push(record.label("value").to_owned());
        }
    }
    steps
}

/// Box plots and a table of a setting that was judged by inversions.
fn show_inversions(
    page: &mut Page,
    context: &Context,
    records: &[Record],
    setting: &str,
    text: &str,
) -> support::Result<()> {
    let steps = steps(records, setting);
    page.heading(setting);
    page.text(text);
    let of = |layer: &str, name: &str, step: &str, figure: &str| {
        let wanted = [
            ("setting", setting),
            ("layer", layer),
            ("picture", name),
            ("value", step),
        ];
        values(records, &wanted, figure)
    };
    let mut rows = Vec::new();
    for layer in context.named(&INVERTED) {
        let layer = layer.to_string();
        let mut shown: Vec<&str> = two(context).map(|(name, _)| name.as_str()).to_vec();
        shown.dedup();
        shown.retain(|name| {
            steps
                .iter()
                .any(|step| !of(&layer, name, step, "error").is_empty())
        });
        for name in &shown {
            for step in &steps {
                let mut row = vec![step.clone(), (*name).to_owned(), layer.clone()];
                for (figure, ..) in FIGURES {
                    let summary = Summary::of(&of(&layer, name, step, figure));
                    row.push(summary.map_or_else(|| "–".into(), |summary| summary.short()));
                }
                rows.push(row);
            }
        }
        if shown.is_empty() {
            continue;
        }
        let (figure, axis, logarithmic) = FIGURES[0];
        let groups = steps.iter().map(|step| {
            let kinds = shown.iter().map(|name| of(&layer, name, step, figure));
            (step.clone(), kinds.collect())
        });
        let chart = boxes(&Boxes {
            title: format!("{setting}: {layer}"),
            axis: axis.into(),
            logarithmic,
            kinds: shown.iter().map(ToString::to_string).collect(),
            groups: groups.collect(),
        })?;
        chart.into_iter().for_each(|chart| page.drawing(chart));
    }
    page.table(
        &[setting, "picture", "layer", "relative error", "PSNR, dB"],
        rows,
    );
    Ok(())
}

/// A row of pictures for each picture that a setting was tried on.
fn show_pictures(
    page: &mut Page,
    context: &Context,
    records: &[Record],
    setting: &str,
    text: &str,
) {
    let steps = steps(records, setting);
    let columns = ["given".to_owned()]
        .into_iter()
        .chain(steps.iter().cloned());
    let mut grid = Grid::new("", columns.collect());
    for (name, given) in context.photographs.iter().chain(&context.exemplars) {
        let of = |step: &String| {
            let wanted = [
                ("setting", setting),
                ("value", step.as_str()),
                ("picture", name.as_str()),
            ];
            let record = records.iter().find(|record| record.is(&wanted))?;
            let distance = record.figure("swd");
            Some(Cell {
                picture: record.picture.clone()?,
                caption: match distance.is_finite() {
                    true => number(distance),
                    false => String::new(),
                },
            })
        };
        let cells: Vec<Option<Cell>> = steps.iter().map(of).collect();
        if cells.iter().any(Option::is_some) {
            let given = Cell {
                picture: given.clone(),
                caption: name.clone(),
            };
            grid.row("", [Some(given)].into_iter().chain(cells).collect());
        }
    }
    page.heading(setting);
    page.text(text);
    page.pictures(grid);
}

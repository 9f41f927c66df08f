//! Contents in styles.

use ranvgg::{Statistics, StyleOptions, transfer_style};

use crate::archive::Record;
use crate::grid::{Cell, Grid};
use crate::inversions::cost;
use crate::networks::{RANDOM, network, with_trained};
use crate::options::Context;
use crate::page::Page;
use crate::study::{Defaults, Made, Study, Unit, Watch};
use crate::support;

pub(crate) struct Styles;

impl Study for Styles {
    fn name(&self) -> &'static str {
        "styles"
    }

    fn defaults(&self) -> Defaults {
        Defaults {
            side: 192,
            evaluations: 300,
            draws: 1,
        }
    }

    fn units<'a>(&self, context: &'a Context) -> support::Result<Vec<Unit<'a>>> {
        let deepest = context.style_layer();
        let mut units = Vec::new();
        for kind in with_trained(context, &[RANDOM]) {
            for (content, picture) in &context.photographs {
                for (style, exemplar) in &context.exemplars {
                    let labels: [(_, &dyn ToString); 3] =
                        [("kind", &kind), ("content", content), ("style", style)];
                    let cost = cost(context, context.evaluations, deepest);
                    units.push(Unit::new(&labels, cost, move |watch| {
                        let vgg = network(context, kind, 0)?;
                        let mut options =
                            StyleOptions::default().with_statistics(Statistics::Whitened);
                        options.run.evaluations = Some(context.evaluations);
                        styled(&vgg, picture, exemplar, &options, watch)
                    }));
                }
            }
        }
        Ok(units)
    }

    fn page(&self, context: &Context, records: &[Record]) -> support::Result<Page> {
        let mut page = Page::new("Contents in styles");
        page.text(format!(
            "Each row a content, each column a style; means and whitened covariances, {} evaluations, {} \
             pixels.",
            context.evaluations, context.side
        ));
        for kind in with_trained(context, &[RANDOM]) {
            let styles = context.exemplars.iter().map(|(style, _)| style.clone());
            let mut grid = Grid::new(
                kind,
                ["content".to_owned()].into_iter().chain(styles).collect(),
            );
            let given = |picture: &image::DynamicImage, caption: &str| {
                Some(Cell {
                    picture: picture.clone(),
                    caption: caption.into(),
                })
            };
            let exemplars = context
                .exemplars
                .iter()
                .map(|(name, picture)| given(picture, name));
            grid.row("style", [None].into_iter().chain(exemplars).collect());
            for (content, picture) in &context.photographs {
                let mut cells = vec![given(picture, content)];
                for (style, _) in &context.exemplars {
                    let wanted = [("kind", kind), ("content", content), ("style", style)];
                    let record = records.iter().find(|record| record.is(&wanted));
                    let picture = record.and_then(|record| record.picture.as_ref());
                    cells.push(picture.and_then(|picture| given(picture, "")));
                }
                grid.row(content, cells);
            }
            page.pictures(grid);
        }
        Ok(page)
    }
}

/// Paints one picture in the style of another.
pub(crate) fn styled(
    vgg: &ranvgg::Vgg,
    content: &image::DynamicImage,
    style: &image::DynamicImage,
    options: &StyleOptions,
    watch: &Watch<'_>,
) -> support::Result<Made> {
    let mut observer = watch.observer();
    let outcome = transfer_style(vgg, content.clone(), style.clone(), options, &mut observer)?;
    Ok(Made {
        figures: vec![("seconds", outcome.elapsed().as_secs_f64())],
        curve: Vec::new(),
        picture: Some(outcome.image()),
    })
}

//! Drawings: box plots and curves, as SVG.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::statistics::{Summary, number};
use crate::study::Curve;
use crate::support;

/// Figures of several kinds of network, for each of several groups.
pub(crate) struct Boxes {
    pub(crate) title: String,
    /// What the figures are.
    pub(crate) axis: String,
    pub(crate) logarithmic: bool,
    /// The kinds, as the legend names them.
    pub(crate) kinds: Vec<String>,
    /// For each group its name, and for each kind the figures.
    pub(crate) groups: Vec<(String, Vec<Vec<f64>>)>,
}

/// A figure by evaluation, for several runs.
pub(crate) struct Curves {
    pub(crate) title: String,
    pub(crate) axis: String,
    /// The kinds, as the legend names them, and all curves of each.
    pub(crate) kinds: Vec<(String, Vec<Curve>)>,
}

const SIZE: (u32, u32) = (900, 420);
/// Room for the legend, in units of one group.
const ROOM: f64 = 0.7;
const LABELS: (&str, u32) = ("sans-serif", 13);
/// Told apart by people who see colours differently (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

/// The range of finite values, a little wider; none without values.
fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let finite = values.filter(|value| value.is_finite());
    let (least, most) = finite.fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let margin = (0.05 * (most - least)).max(1e-9 * most.abs()).max(1e-12);
    (least <= most).then_some(least - margin..most + margin)
}

/// An axis that shows powers of ten where values were replaced by their logarithms.
struct Powers(bool);

impl Powers {
    fn place(&self, value: f64) -> f64 {
        if self.0 { value.log10() } else { value }
    }

    fn label(&self, place: f64) -> String {
        number(if self.0 { 10f64.powf(place) } else { place })
    }
}

/// For each group and kind a box from the lower to the upper quartile with a line at the median and
/// a cross at the mean, whiskers to the least and the most, and every figure as a dot.
pub(crate) fn boxes(plot: &Boxes) -> support::Result<Option<String>> {
    let scale = Powers(plot.logarithmic);
    let all = plot
        .groups
        .iter()
        .flat_map(|(_, kinds)| kinds.iter().flatten());
    let Some(range) = range(all.map(|value| scale.place(*value))) else {
        return Ok(None);
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let groups = plot.groups.len() as f64;
        let mut chart = ChartBuilder::on(&area)
            .caption(&plot.title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..groups + ROOM, range)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(WHITE)
            .label_style(LABELS)
            .axis_desc_style(LABELS)
            .y_desc(&plot.axis)
            .y_label_formatter(&|place| scale.label(*place))
            .draw()?;
        let width = 0.8 / plot.kinds.len() as f64;
        for (group, (_, kinds)) in plot.groups.iter().enumerate() {
            for (kind, values) in kinds.iter().enumerate() {
                let left = group as f64 + 0.1 + width * kind as f64;
                one_box(&mut chart, &scale, values, (left, width), colour(kind))?;
            }
        }
        for (group, (name, _)) in plot.groups.iter().enumerate() {
            let (x, _) = chart.backend_coord(&(group as f64 + 0.5, 0.0));
            let style = ("sans-serif", 14).into_text_style(&area);
            let (wide, _) = area.estimate_text_size(name, &style)?;
            let place = (x - wide as i32 / 2, SIZE.1 as i32 - 32);
            area.draw_text(name, &style, place)?;
        }
        for (kind, name) in plot.kinds.iter().enumerate() {
            let colour = colour(kind);
            // A series without points: what the legend shows.
            chart
                .draw_series(std::iter::empty::<Circle<(f64, f64), i32>>())?
                .label(name)
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled())
                });
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)?;
        area.present()?;
    }
    Ok(Some(svg))
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn legend<'a, 'b: 'a>(
    chart: &mut Chart<'a, 'b>,
    position: SeriesLabelPosition,
) -> support::Result<()> {
    chart
        .configure_series_labels()
        .label_font(LABELS)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .position(position)
        .draw()?;
    Ok(())
}

fn one_box(
    chart: &mut Chart<'_, '_>,
    scale: &Powers,
    values: &[f64],
    (left, width): (f64, f64),
    colour: RGBColor,
) -> support::Result<()> {
    let Some(summary) = Summary::of(values) else {
        return Ok(());
    };
    let (middle, right) = (left + 0.45 * width, left + 0.9 * width);
    let line = |points: Vec<(f64, f64)>, strength: u32| {
        let points: Vec<(f64, f64)> = points
            .into_iter()
            .map(|(x, value)| (x, scale.place(value)))
            .collect();
        PathElement::new(points, colour.stroke_width(strength))
    };
    let Summary {
        least,
        lower,
        median,
        upper,
        most,
        mean,
        ..
    } = summary;
    let corners = [(left, scale.place(lower)), (right, scale.place(upper))];
    chart.draw_series([Rectangle::new(corners, colour.mix(0.2).filled())])?;
    chart.draw_series([
        line(
            vec![
                (left, lower),
                (right, lower),
                (right, upper),
                (left, upper),
                (left, lower),
            ],
            1,
        ),
        line(vec![(left, median), (right, median)], 3),
        line(vec![(middle, least), (middle, lower)], 1),
        line(vec![(middle, upper), (middle, most)], 1),
        line(vec![(left, least), (right, least)], 1),
        line(vec![(left, most), (right, most)], 1),
    ])?;
    chart.draw_series([Cross::new(
        (middle, scale.place(mean)),
        5,
        BLACK.stroke_width(2),
    )])?;
    let spread = values.len().max(2) - 1;
    chart.draw_series(
        values
            .iter()
            .enumerate()
            .filter(|(_, v)| v.is_finite())
            .map(|(number, value)| {
                let x = left + width * (0.1 + 0.7 * number as f64 / spread as f64);
                Circle::new((x, scale.place(*value)), 2, colour.mix(0.6).filled())
            }),
    )?;
    Ok(())
}

/// Curves over evaluations, both axes logarithmic.
pub(crate) fn curves(plot: &Curves) -> support::Result<Option<String>> {
    let points = || {
        plot.kinds
            .iter()
            .flat_map(|(_, curves)| curves.iter().flatten())
    };
    let positive = points().filter(|(_, value)| *value > 0.0);
    let Some(range) = range(positive.map(|(_, value)| value.log10())) else {
        return Ok(None);
    };
    let last = points()
        .map(|(evaluation, _)| *evaluation)
        .max()
        .unwrap_or(1);
    let scale = Powers(true);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&plot.title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..(last as f64).log10().max(0.1), range)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .label_style(LABELS)
            .axis_desc_style(LABELS)
            .x_desc("evaluations")
            .y_desc(&plot.axis)
            .x_label_formatter(&|place| format!("{:.0}", 10f64.powf(*place)))
            .y_label_formatter(&|place| scale.label(*place))
            .draw()?;
        for (kind, (name, curves)) in plot.kinds.iter().enumerate() {
            let colour = colour(kind);
            for (number, curve) in curves.iter().enumerate() {
                let points = curve.iter().filter(|(_, value)| *value > 0.0);
                let points = points.map(|(at, value)| ((*at as f64).log10(), value.log10()));
                let drawn = chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
                if number == 0 {
                    let line = move |(x, y)| [(x, y), (x + 16, y)];
                    drawn
                        .label(name)
                        .legend(move |at| PathElement::new(line(at), colour.stroke_width(2)));
                }
            }
        }
        legend(&mut chart, SeriesLabelPosition::LowerLeft)?;
        area.present()?;
    }
    Ok(Some(svg))
}

//! Pictures in rows and columns: for the page, and as one PNG.

use image::imageops::{self, FilterType};
use image::{DynamicImage, RgbImage};

/// A picture with what is said below it.
#[derive(Clone)]
pub(crate) struct Cell {
    pub(crate) picture: DynamicImage,
    pub(crate) caption: String,
}

/// Rows of pictures under the heads of columns.
#[derive(Clone, Default)]
pub(crate) struct Grid {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    /// What a row is called, and a cell for each column, or none where a run is missing.
    pub(crate) rows: Vec<(String, Vec<Option<Cell>>)>,
}

/// Pixels between pictures of the PNG.
const GAP: u32 = 4;

impl Grid {
    pub(crate) fn new(title: impl Into<String>, columns: Vec<String>) -> Self {
        Self {
            title: title.into(),
            columns,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, name: impl Into<String>, cells: Vec<Option<Cell>>) {
        self.rows.push((name.into(), cells));
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rows
            .iter()
            .flat_map(|(_, cells)| cells.iter().flatten())
    }

    /// All rows as one picture; white where a run is missing. None without pictures.
    pub(crate) fn sheet(&self) -> Option<RgbImage> {
        let width = self.cells().map(|cell| cell.picture.width()).max()?;
        let height = self.cells().map(|cell| cell.picture.height()).max()?;
        let columns = self.rows.iter().map(|(_, cells)| cells.len()).max()? as u32;
        let side = |count: u32, side: u32| count * (side + GAP) - GAP;
        let (all, tall) = (side(columns, width), side(self.rows.len() as u32, height));
        let mut sheet = RgbImage::from_pixel(all, tall, image::Rgb([255; 3]));
        for (y, (_, cells)) in (0..).zip(&self.rows) {
            for (x, cell) in (0..).zip(cells) {
                if let Some(cell) = cell {
                    let picture = match cell.picture.width() {
                        own if own == width => cell.picture.clone(),
                        _ => cell.picture.resize(width, height, FilterType::Lanczos3),
                    };
                    let (left, top) = (x * (width + GAP), y * (height + GAP));
                    imageops::replace(&mut sheet, &picture.to_rgb8(), left.into(), top.into());
                }
            }
        }
        Some(sheet)
    }
}

/// Grids below each other as one picture.
pub(crate) fn stacked(grids: &[Grid]) -> Option<RgbImage> {
    let sheets: Vec<RgbImage> = grids.iter().filter_map(Grid::sheet).collect();
    let width = sheets.iter().map(RgbImage::width).max()?;
    let height: u32 = sheets.iter().map(|sheet| sheet.height() + 4 * GAP).sum();
    let mut all = RgbImage::from_pixel(width, height - 4 * GAP, image::Rgb([255; 3]));
    let mut top = 0;
    for sheet in sheets {
        imageops::replace(&mut all, &sheet, 0, top);
        top += i64::from(sheet.height() + 4 * GAP);
    }
    Some(all)
}

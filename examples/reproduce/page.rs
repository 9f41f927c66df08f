//! One HTML page that holds everything it shows: pictures, drawings, tables.

use std::fmt::Write as _;
use std::path::Path;

use image::DynamicImage;
use ranvgg::{IfExists, imaging};

use crate::archive::write;
use crate::grid::{Grid, stacked};
use crate::support;
use crate::support::html::{escaped, image};

/// What a page is made of, in order.
enum Part {
    Heading(String),
    Text(String),
    Pictures(Grid),
    /// An SVG drawing.
    Drawing(String),
    /// The heads of the columns, and rows.
    Table(Vec<String>, Vec<Vec<String>>),
}

pub(crate) struct Page {
    title: String,
    parts: Vec<Part>,
}

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em;\
    color:#222}h1,h2{line-height:1.2}table{border-collapse:collapse;margin:1em 0}\
    td,th{padding:3px 10px 3px 0;text-align:left;font-weight:normal;vertical-align:bottom}\
    th{color:#555}table.figures td,table.figures th{border-bottom:1px solid #ddd}\
    .wide{overflow-x:auto}img{display:block}small{color:#555}svg{max-width:100%;height:auto}";

impl Page {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            parts: Vec::new(),
        }
    }

    pub(crate) fn heading(&mut self, text: impl Into<String>) {
        self.parts.push(Part::Heading(text.into()));
    }

    pub(crate) fn text(&mut self, text: impl Into<String>) {
        self.parts.push(Part::Text(text.into()));
    }

    pub(crate) fn pictures(&mut self, grid: Grid) {
        if !grid.rows.is_empty() {
            self.parts.push(Part::Pictures(grid));
        }
    }

    pub(crate) fn drawing(&mut self, svg: String) {
        self.parts.push(Part::Drawing(svg));
    }

    pub(crate) fn table(&mut self, heads: &[&str], rows: Vec<Vec<String>>) {
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        self.parts.push(Part::Table(heads, rows));
    }

    /// Writes `index.html`, and all pictures as `sheet.png`.
    pub(crate) fn write(&self, folder: &Path) -> support::Result<()> {
        let grids: Vec<Grid> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Pictures(grid) => Some(grid.clone()),
                _ => None,
            })
            .collect();
        if let Some(sheet) = stacked(&grids) {
            imaging::save(
                &DynamicImage::from(sheet),
                folder.join("sheet.png"),
                IfExists::Replace,
            )?;
        }
        write(&folder.join("index.html"), self.html()?.as_bytes())
    }

    fn html(&self) -> support::Result<String> {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n"
        );
        for part in &self.parts {
            match part {
                Part::Heading(text) => writeln!(html, "<h2>{}</h2>", escaped(text))?,
                Part::Text(text) => writeln!(html, "<p>{}</p>", escaped(text))?,
                Part::Drawing(svg) => writeln!(html, "<div class=\"wide\">{svg}</div>")?,
                Part::Pictures(grid) => pictures(&mut html, grid)?,
                Part::Table(heads, rows) => table(&mut html, heads, rows)?,
            }
        }
        html.push_str("</html>\n");
        Ok(html)
    }
}

fn pictures(html: &mut String, grid: &Grid) -> support::Result<()> {
    if !grid.title.is_empty() {
        writeln!(html, "<h2>{}</h2>", escaped(&grid.title))?;
    }
    html.push_str("<div class=\"wide\"><table>\n<tr><th></th>");
    for column in &grid.columns {
        write!(html, "<th>{}</th>", escaped(column))?;
    }
    html.push_str("</tr>\n");
    for (name, cells) in &grid.rows {
        write!(html, "<tr><th>{}</th>", escaped(name))?;
        for cell in cells {
            let Some(cell) = cell else {
                html.push_str("<td></td>");
                continue;
            };
            let (image, caption) = (image(&cell.picture, &cell.caption)?, escaped(&cell.caption));
            write!(html, "<td>{image}<small>{caption}</small></td>")?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    Ok(())
}

fn table(html: &mut String, heads: &[String], rows: &[Vec<String>]) -> support::Result<()> {
    html.push_str("<div class=\"wide\"><table class=\"figures\">\n<tr>");
    for head in heads {
        write!(html, "<th>{}</th>", escaped(head))?;
    }
    html.push_str("</tr>\n");
    for row in rows {
        html.push_str("<tr>");
        for value in row {
            write!(html, "<td>{}</td>", escaped(value))?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    Ok(())
}

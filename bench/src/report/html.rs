//! Results as one page: latency curves as inline SVG, tables, light and dark, no external resources.
//!
//! The curves show microseconds (logarithmic) over the quantile, drawn so that each further nine takes the same width:
//! x = -log10(1 - quantile). That is where servers differ. A click on a name in the legend hides its curve; a pointer
//! over a point shows its value.

use crate::report::text::{COMPARE_HEAD, MEMORY_HEAD, compare_lines, memory_lines};
use crate::report::{Comparison, QUANTILES, Results, curve, number};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 16.0;

/// Colours that can be told apart on light and on dark, also by colour-blind readers (Okabe and Ito's, adapted).
const COLOURS: [&str; 8] = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c8c00", "#7f7f7f"];

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#6b7380;--rule:#d9dde3}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--paper:#14171b;--soft:#98a1ae;--rule:#333a44}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1000px;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}\
td,th{padding:.25em .7em;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}\
td:first-child,th:first-child{text-align:left}th{color:var(--soft);font-weight:600}svg{width:100%;height:auto}\
svg text{fill:var(--soft);font-size:12px}.grid{stroke:var(--rule)}.curve{fill:none;stroke-width:2}.off{opacity:.15}\
.legend span{cursor:pointer;margin-right:1.2em}.legend i{display:inline-block;width:1em;height:.7em;margin-right:.4em}";

const SCRIPT: &str = "document.querySelectorAll('.legend span').forEach(s=>s.onclick=()=>{s.classList.toggle('off');\
const g=s.closest('figure').querySelector('[data-series=\"'+s.dataset.series+'\"]');\
g.style.display=g.style.display?'':'none'})";

type Series = (String, Vec<(f64, f64)>);

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).log10()
}

/// Curves of (quantile, microseconds) as a figure.
fn chart(series: &[Series]) -> String {
    let points = || series.iter().flat_map(|(_, points)| points);
    if points().next().is_none() {
        return String::new();
    }
    let x_end = points().map(|p| nines(p.0)).fold(1.0, f64::max);
    let low = points().map(|p| p.1.max(0.1)).fold(f64::INFINITY, f64::min).log10().floor();
    let high = points().map(|p| p.1.max(0.1)).fold(0.0, f64::max).log10().ceil().max(low + 1.0);
    let x = |q: f64| LEFT + nines(q) / x_end * (WIDTH - LEFT - RIGHT);
    let y = |us: f64| HEIGHT - BOTTOM - (us.max(0.1).log10() - low) / (high - low) * (HEIGHT - BOTTOM - TOP);
    let mut out = format!("<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"latency by percentile\">");
    let mut power = low;
    while power <= high {
        let at = y(10f64.powf(power));
        out += &format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", WIDTH - RIGHT);
        out += &format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{} us</text>", LEFT - 6.0, at + 4.0, 10f64.powf(power));
        power += 1.0;
    }
    for (name, q) in [("0", 0.0)].into_iter().chain(QUANTILES).chain([("p99.999", 0.99999)]) {
        if nines(q) <= x_end {
            let at = x(q);
            out += &format!("<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{}\"/>", HEIGHT - BOTTOM);
            out += &format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", HEIGHT - BOTTOM + 18.0);
        }
    }
    for (i, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let line: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        out += &format!("<g data-series=\"{i}\"><polyline class=\"curve\" stroke=\"{colour}\" points=\"{}\"/>", line.join(" "));
        for p in points {
            let title = format!("{}: {:.4} % within {} us", escape(name), p.0 * 100.0, number(p.1));
            let at = format!("cx=\"{:.1}\" cy=\"{:.1}\"", x(p.0), y(p.1));
            out += &format!("<circle {at} r=\"3\" fill=\"{colour}\"><title>{title}</title></circle>");
        }
        out += "</g>";
    }
    out += "</svg><figcaption class=\"legend\">";
    for (i, (name, _)) in series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        out += &format!("<span data-series=\"{i}\"><i style=\"background:{colour}\"></i>{}</span>", escape(name));
    }
    out + "</figcaption></figure>\n"
}

fn table<T: AsRef<str>>(head: &[T], rows: &[Vec<String>]) -> String {
    let cells = |tag: &str, texts: Vec<&str>| -> String {
        let cells: String = texts.iter().map(|t| format!("<{tag}>{}</{tag}>", escape(t))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let mut out = format!("<table>\n{}", cells("th", head.iter().map(AsRef::as_ref).collect()));
    for row in rows {
        out += &cells("td", row.iter().map(String::as_str).collect());
    }
    out + "</table>\n"
}

fn page(title: &str, settings: &[(String, String)], body: &str) -> String {
    let settings: String = settings.iter().map(|(k, v)| format!("<b>{}</b> {} &nbsp; ", escape(k), escape(v))).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title><style>{STYLE}</style></head>\n\
         <body><h1>{0}</h1>\n<p>{settings}</p>\n{body}<script>{SCRIPT}</script></body></html>\n",
        escape(title)
    )
}

/// What `run` measured.
pub fn results(results: &Results) -> String {
    let all = results.runs.iter().flat_map(|r| &r.outcome.tally.commands);
    let series: Vec<Series> = all.map(|c| (c.name.clone(), curve(&c.latency))).collect();
    let mut head = vec!["command", "requests", "requests/s", "errors"];
    head.extend(QUANTILES.iter().map(|(name, _)| *name));
    head.push("max us");
    let mut rows = Vec::new();
    for run in &results.runs {
        let seconds = run.outcome.elapsed_ns.max(1) as f64 / 1e9;
        for c in &run.outcome.tally.commands {
            let n = c.latency.len();
            let mut row = vec![c.name.clone(), n.to_string(), number(n as f64 / seconds), c.errors.to_string()];
            row.extend(QUANTILES.iter().map(|(_, q)| number(c.latency.value_at_quantile(*q) as f64 / 1000.0)));
            row.push(number(c.latency.max() as f64 / 1000.0));
            rows.push(row);
        }
    }
    page("Benchmark", &results.settings, &(chart(&series) + &table(&head, &rows)))
}

/// What `compare` measured.
pub fn comparison(comparison: &Comparison) -> String {
    let mut body = String::new();
    for (i, row) in comparison.rows.iter().enumerate() {
        body += &format!("<h2>{}, pipeline {}</h2>\n", escape(&row.name), row.pipeline);
        let cells = comparison.servers.iter().zip(&row.cells);
        let series: Vec<Series> = cells.map(|(name, c)| (name.clone(), c.curve.clone())).collect();
        body += &table(&COMPARE_HEAD, &compare_lines(comparison, i));
        body += &chart(&series);
    }
    let memory = memory_lines(comparison);
    if !memory.is_empty() {
        body += &format!("<h2>Memory</h2>\n{}", table(&MEMORY_HEAD, &memory));
    }
    page(&comparison.title, &comparison.settings, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_page_stands_alone_and_names_are_escaped() {
        for text in [results(&samples::results()), comparison(&samples::comparison())] {
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("src="));
            assert!(text.contains("prefers-color-scheme:dark") && text.contains("<polyline"));
            assert_eq!(text.matches("<svg").count(), text.matches("</svg>").count());
            assert!(!text.contains("NaN") && !text.contains("inf"));
        }
        assert!(results(&samples::results()).contains("SET &lt;&amp;&gt;"));
    }

    #[test]
    fn a_comparison_without_curves_has_no_chart() {
        let mut comparison_of_external = samples::comparison();
        for cell in &mut comparison_of_external.rows[0].cells {
            cell.curve.clear();
        }
        assert!(!comparison(&comparison_of_external).contains("<svg"));
    }
}

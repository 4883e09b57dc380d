//! Results for the terminal: aligned columns, nothing coloured, easy to grep.

use crate::report::{Comparison, QUANTILES, Run, Spread, number};

/// Rows of cells as aligned columns: the first column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, text) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - text.chars().count());
            line += &if c == 0 { format!("{text}{pad}") } else { format!("  {pad}{text}") };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// The settings, one per line.
pub fn settings(settings: &[(String, String)], out: &mut String) {
    let rows: Vec<Vec<String>> = settings.iter().map(|(n, v)| vec![format!("# {n}"), v.clone()]).collect();
    let width = rows.iter().map(|r| r[0].len()).max().unwrap_or(0);
    for row in rows {
        *out += &format!("{:width$}  {}\n", row[0], row[1]);
    }
}

/// One load's results.
pub fn run(run: &Run) -> String {
    let tally = &run.outcome.tally;
    let seconds = run.outcome.elapsed_ns as f64 / 1e9;
    let mut out = format!(
        "\n{}: {} requests per second ({} in {seconds:.3} s)\n",
        run.name,
        number(run.outcome.rate()),
        number(tally.recorded() as f64),
    );
    let mut head = vec!["latency in us".to_string(), "requests".into(), "mean".into()];
    head.extend(QUANTILES.iter().map(|(name, _)| (*name).to_string()));
    head.push("max".into());
    let mut rows = vec![head];
    for command in &tally.commands {
        let latency = &command.latency;
        let mut row = vec![command.name.clone(), latency.len().to_string(), number(latency.mean() / 1000.0)];
        row.extend(QUANTILES.iter().map(|(_, q)| number(latency.value_at_quantile(*q) as f64 / 1000.0)));
        row.push(number(latency.max() as f64 / 1000.0));
        rows.push(row);
    }
    out += &table(&rows);
    out += &format!("client CPU us per request  {:.3}\n", run.client_cpu_us());
    if let Some(cpu) = run.server_cpu_us() {
        out += &format!("server CPU us per request  {cpu:.3}\n");
    }
    for command in &tally.commands {
        for (text, n) in &command.error_texts {
            out += &format!("ERRORS  {}  {n} x {text}\n", command.name);
        }
        if command.mismatches > 0 {
            out += &format!("WRONG VALUES  {}  {}\n", command.name, command.mismatches);
        }
    }
    if tally.unanswered > 0 {
        out += &format!("UNANSWERED  {}\n", tally.unanswered);
    }
    out
}

/// All loads' results.
#[cfg(test)]
pub fn results(results: &crate::report::Results) -> String {
    let mut out = String::new();
    settings(&results.settings, &mut out);
    for one in &results.runs {
        out += &run(one);
    }
    out
}

fn spread(value: Option<Spread>) -> String {
    value.map_or("-".into(), |s| format!("{} ({}-{})", number(s.median), number(s.min), number(s.max)))
}

/// `value` as a multiple of `base`.
pub fn ratio(value: Option<Spread>, base: Option<Spread>) -> String {
    match (value, base) {
        (Some(value), Some(base)) if base.median > 0.0 => format!("{:.2}x", value.median / base.median),
        _ => "-".into(),
    }
}

/// The head of the table of a comparison.
pub const COMPARE_HEAD: [&str; 9] =
    ["server", "requests/s (min-max)", "ratio", "CPU us/request", "ratio", "p50 us", "p99 us", "p99.9 us", "errors"];

/// The cells of one row of a comparison, one line per server.
pub fn compare_lines(comparison: &Comparison, row: usize) -> Vec<Vec<String>> {
    let cells = &comparison.rows[row].cells;
    let first = &cells[0];
    let line = |(name, cell): (&String, &crate::report::Cell)| {
        vec![
            name.clone(),
            spread(cell.rate),
            ratio(cell.rate, first.rate),
            spread(cell.cpu_us),
            ratio(cell.cpu_us, first.cpu_us),
            spread(cell.p50_us),
            spread(cell.p99_us),
            spread(cell.p999_us),
            cell.errors.to_string(),
        ]
    };
    comparison.servers.iter().zip(cells).map(line).collect()
}

/// The head of the table of memory.
pub const MEMORY_HEAD: [&str; 5] = ["server", "keys", "RSS bytes per key", "beyond the payload", "ratio"];

/// One line per server whose memory was measured.
pub fn memory_lines(comparison: &Comparison) -> Vec<Vec<String>> {
    let base = comparison.memory.first().copied().flatten().map(|m| m.per_key());
    let measured = comparison.servers.iter().zip(&comparison.memory).filter_map(|(s, m)| m.map(|m| (s, m)));
    measured
        .map(|(name, m)| {
            let ratio = base.map_or("-".into(), |b| format!("{:.2}x", m.per_key() / b));
            vec![name.clone(), m.keys.to_string(), number(m.per_key()), number(m.overhead_per_key()), ratio]
        })
        .collect()
}

fn titled(head: &[&str], lines: Vec<Vec<String>>) -> String {
    let mut rows = vec![head.iter().map(|h| (*h).to_string()).collect()];
    rows.extend(lines);
    table(&rows)
}

/// A whole comparison.
pub fn comparison(comparison: &Comparison) -> String {
    let mut out = format!("{}\n", comparison.title);
    settings(&comparison.settings, &mut out);
    for (i, row) in comparison.rows.iter().enumerate() {
        out += &format!("\n{}, pipeline {}\n", row.name, row.pipeline);
        out += &titled(&COMPARE_HEAD, compare_lines(comparison, i));
    }
    let memory = memory_lines(comparison);
    if !memory.is_empty() {
        out += &format!("\nMemory\n{}", titled(&MEMORY_HEAD, memory));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_run_shows_rate_percentiles_errors_and_cpu() {
        let text = results(&samples::results());
        for part in ["2 002", "p99.99", "server CPU us per request  5.000", "ERRORS  SET <&>  1 x ERR \"no\""] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_comparison_shows_ratios_to_the_first_server() {
        let text = comparison(&samples::comparison());
        let line = text.lines().find(|l| l.starts_with("new")).expect("a line");
        assert!(line.contains("200 000 (180 000-220 000)  2.00x") && line.contains("0.50x"), "{line}");
        assert!(text.contains("42.0") && text.contains("0.42x"));
    }
}

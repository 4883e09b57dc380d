//! Results as Markdown, for `bench/results/`.

use crate::report::text::{COMPARE_HEAD, MEMORY_HEAD, compare_lines, memory_lines};
use crate::report::{Comparison, QUANTILES, Results, number};

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ")
}

fn line<T: AsRef<str>>(cells: &[T]) -> String {
    format!("| {} |\n", cells.iter().map(|c| escape(c.as_ref())).collect::<Vec<_>>().join(" | "))
}

fn table<T: AsRef<str>>(head: &[T], rows: &[Vec<String>]) -> String {
    let mut out = line(head);
    out += &format!("|---|{}\n", "---:|".repeat(head.len() - 1));
    for row in rows {
        out += &line(row);
    }
    out
}

fn settings(settings: &[(String, String)]) -> String {
    settings.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect::<String>() + "\n"
}

/// What `run` measured.
pub fn results(results: &Results) -> String {
    let out = format!("# Results\n\n{}", settings(&results.settings));
    let mut head = vec!["command", "requests", "requests/s", "errors"];
    head.extend(QUANTILES.iter().map(|(name, _)| *name));
    head.extend(["max", "server CPU us/request"]);
    let mut rows = Vec::new();
    for run in &results.runs {
        let seconds = run.outcome.elapsed_ns.max(1) as f64 / 1e9;
        for command in &run.outcome.tally.commands {
            let n = command.latency.len();
            let mut row = vec![command.name.clone(), n.to_string(), number(n as f64 / seconds), command.errors.to_string()];
            row.extend(QUANTILES.iter().map(|(_, q)| number(command.latency.value_at_quantile(*q) as f64 / 1000.0)));
            row.push(number(command.latency.max() as f64 / 1000.0));
            row.push(run.server_cpu_us().map_or("-".into(), number));
            rows.push(row);
        }
    }
    out + "Latencies in microseconds.\n\n" + &table(&head, &rows)
}

/// What `compare` measured.
pub fn comparison(comparison: &Comparison) -> String {
    let mut out = format!("# {}\n\n{}", comparison.title, settings(&comparison.settings));
    if !comparison.rows.is_empty() {
        out += &format!("Medians (least-most) over the rounds; ratios to {}.\n", comparison.servers[0]);
    }
    for (i, row) in comparison.rows.iter().enumerate() {
        out += &format!("\n## {}, pipeline {}\n\n", row.name, row.pipeline);
        out += &table(&COMPARE_HEAD, &compare_lines(comparison, i));
    }
    let memory = memory_lines(comparison);
    if !memory.is_empty() {
        out += &format!("\n## Memory\n\n{}", table(&MEMORY_HEAD, &memory));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn every_line_of_a_table_has_the_same_number_of_columns() {
        for text in [results(&samples::results()), comparison(&samples::comparison())] {
            let mut columns = None;
            for line in text.lines() {
                if !line.starts_with('|') {
                    columns = None;
                    continue;
                }
                let n = line.replace("\\|", "").matches('|').count();
                assert_eq!(*columns.get_or_insert(n), n, "{line}");
            }
        }
    }

    #[test]
    fn a_comparison_names_the_base_of_its_ratios() {
        let text = comparison(&samples::comparison());
        assert!(text.starts_with("# A | B\n") && text.contains("ratios to old") && text.contains("2.00x"));
    }
}

//! Results as JSON, for programs. Written by hand: two shapes of document do not need a library.
//!
//! What could not be measured is `null`; latencies are in microseconds; keys end with their unit.

use crate::report::{Cell, Comparison, QUANTILES, Results, Run, Spread};
use std::fmt::Write;

/// A JSON value under construction.
enum Json {
    Null,
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl From<f64> for Json {
    fn from(x: f64) -> Json {
        Json::Number(x)
    }
}

impl From<u64> for Json {
    fn from(x: u64) -> Json {
        Json::Number(x as f64)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_string())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl From<Spread> for Json {
    fn from(s: Spread) -> Json {
        object([("median", s.median.into()), ("min", s.min.into()), ("max", s.max.into())])
    }
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
}

fn list<T, J: Into<Json>>(items: &[T], f: impl Fn(&T) -> J) -> Json {
    Json::List(items.iter().map(|i| f(i).into()).collect())
}

impl Json {
    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Number(x) if !x.is_finite() => out.push_str("null"),
            Json::Number(x) => write!(out, "{x}").expect("a string takes everything"),
            Json::Text(text) => quote(text, out),
            Json::List(items) => {
                let each = |i: &Json, out: &mut String| i.write(depth + 1, out);
                nest('[', ']', items, depth, out, each);
            }
            Json::Object(members) => nest('{', '}', members, depth, out, |(key, value), out| {
                quote(key, out);
                out.push_str(": ");
                value.write(depth + 1, out);
            }),
        }
    }

    fn document(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out.push('\n');
        out
    }
}

fn nest<T>(open: char, close: char, items: &[T], depth: usize, out: &mut String, each: impl Fn(&T, &mut String)) {
    out.push(open);
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        each(item, out);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(close);
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).expect("a string takes everything"),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn settings(settings: &[(String, String)]) -> Json {
    Json::Object(settings.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect())
}

fn run(run: &Run) -> Json {
    let tally = &run.outcome.tally;
    let commands = list(&tally.commands, |c| {
        let us = |ns: u64| Json::Number(ns as f64 / 1000.0);
        let mut latency: Vec<(String, Json)> =
            QUANTILES.iter().map(|(name, q)| ((*name).to_string(), us(c.latency.value_at_quantile(*q)))).collect();
        latency.push(("mean".into(), Json::Number(c.latency.mean() / 1000.0)));
        latency.push(("max".into(), us(c.latency.max())));
        let texts = c.error_texts.iter().map(|(text, n)| (text.clone(), Json::from(*n))).collect();
        object([
            ("name", c.name.as_str().into()),
            ("requests", c.latency.len().into()),
            ("errors", c.errors.into()),
            ("error_texts", Json::Object(texts)),
            ("wrong_values", c.mismatches.into()),
            ("latency_us", Json::Object(latency)),
        ])
    });
    object([
        ("name", run.name.as_str().into()),
        ("requests", tally.recorded().into()),
        ("seconds", (run.outcome.elapsed_ns as f64 / 1e9).into()),
        ("requests_per_second", run.outcome.rate().into()),
        ("errors", tally.errors().into()),
        ("unanswered", tally.unanswered.into()),
        ("sent_bytes", tally.sent_bytes.into()),
        ("received_bytes", tally.received_bytes.into()),
        ("client_cpu_us_per_request", run.client_cpu_us().into()),
        ("server_cpu_us_per_request", run.server_cpu_us().into()),
        ("commands", commands),
    ])
}

/// What `run` measured.
pub fn results(results: &Results) -> String {
    object([("settings", settings(&results.settings)), ("runs", list(&results.runs, run))]).document()
}

fn cell(name: &str, cell: &Cell) -> Json {
    object([
        ("server", name.into()),
        ("requests_per_second", cell.rate.into()),
        ("server_cpu_us_per_request", cell.cpu_us.into()),
        ("p50_us", cell.p50_us.into()),
        ("p99_us", cell.p99_us.into()),
        ("p99.9_us", cell.p999_us.into()),
        ("errors", cell.errors.into()),
    ])
}

/// What `compare` measured.
pub fn comparison(comparison: &Comparison) -> String {
    let rows = list(&comparison.rows, |row| {
        let cells = comparison.servers.iter().zip(&row.cells).map(|(name, c)| cell(name, c)).collect();
        object([
            ("name", row.name.as_str().into()),
            ("pipeline", u64::from(row.pipeline).into()),
            ("servers", Json::List(cells)),
        ])
    });
    let measured = comparison.servers.iter().zip(&comparison.memory).filter_map(|(s, m)| m.map(|m| (s, m)));
    let memory = measured.map(|(name, m)| {
        object([
            ("server", name.as_str().into()),
            ("keys", m.keys.into()),
            ("rss_growth_bytes", m.growth_bytes.into()),
            ("payload_bytes", m.payload_bytes.into()),
            ("rss_bytes_per_key", m.per_key().into()),
            ("overhead_bytes_per_key", m.overhead_per_key().into()),
        ])
    });
    object([
        ("title", comparison.title.as_str().into()),
        ("settings", settings(&comparison.settings)),
        ("rows", rows),
        ("memory", Json::List(memory.collect())),
    ])
    .document()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn texts_are_escaped_and_numbers_that_are_none_become_null() {
        let json = object([("a\"b", "\\ \n".into()), ("n", f64::NAN.into()), ("e", Json::List(vec![]))]);
        assert_eq!(json.document(), "{\n  \"a\\\"b\": \"\\\\ \\u000a\",\n  \"n\": null,\n  \"e\": []\n}\n");
    }

    #[test]
    fn documents_are_balanced_and_hold_the_figures() {
        for (text, part) in [
            (results(&samples::results()), "\"server_cpu_us_per_request\": 5"),
            (comparison(&samples::comparison()), "\"overhead_bytes_per_key\": 10"),
        ] {
            assert!(text.contains(part), "{text}");
            assert_eq!(text.matches('{').count(), text.matches('}').count());
            assert_eq!(text.matches('[').count(), text.matches(']').count());
        }
    }
}

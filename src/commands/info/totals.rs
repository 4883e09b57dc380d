//! The cores' reports, added up.

use crate::core::Center;
use crate::core::report::{CoreReport, DatabaseReport};
use crate::dispatch::table::table;
use crate::stats::CommandStat;
use crate::stats::histogram::Histogram;
use crate::stats::latency::Latency;
use std::collections::BTreeMap;

/// All that sections are written from.
pub struct Totals<'a> {
    /// The core that writes.
    pub center: &'a Center,
    /// All cores' reports.
    pub cores: &'a [CoreReport],
    /// Bytes in use: allocated, and mapped by the keyspace's tables.
    pub used_bytes: u64,
}

impl<'a> Totals<'a> {
    /// Of these reports.
    pub fn new(center: &'a Center, cores: &'a [CoreReport]) -> Totals<'a> {
        // The reports themselves, histograms and all, are gone when the answer is out: the core that was asked first saw
        // none of them.
        let before = cores.iter().map(|core| core.used_bytes).min();
        Totals { center, cores, used_bytes: before.unwrap_or(crate::alloc::allocated_bytes() as u64) }
    }

    /// The sum of a number over the cores.
    pub fn sum(&self, of: impl Fn(&CoreReport) -> u64) -> u64 {
        self.cores.iter().map(of).sum()
    }

    /// The sum of a rate over the cores.
    pub fn rate(&self, of: impl Fn(&CoreReport) -> f64) -> f64 {
        self.cores.iter().map(of).sum()
    }

    /// The greatest of a number over the cores.
    pub fn max(&self, of: impl Fn(&CoreReport) -> u64) -> u64 {
        self.cores.iter().map(of).max().unwrap_or(0)
    }

    /// Keys of a database.
    pub fn database(&self, db: usize) -> DatabaseReport {
        let of = |core: &CoreReport| core.databases[db];
        DatabaseReport {
            keys: self.sum(|c| of(c).keys),
            expires: self.sum(|c| of(c).expires),
            timed_hashes: self.sum(|c| of(c).timed_hashes),
        }
    }

    /// Commands that were called or refused, by name.
    pub fn commands(&self) -> BTreeMap<&'static str, CommandStat> {
        let mut commands: BTreeMap<&'static str, CommandStat> = BTreeMap::new();
        for core in self.cores {
            for (entry, stat) in table().entries().iter().zip(&core.stats.commands) {
                if stat.calls > 0 || stat.rejected > 0 || stat.failed > 0 {
                    commands.entry(entry.full_name).or_default().add(stat);
                }
            }
        }
        commands
    }

    /// How long the calls of commands took, by name.
    pub fn histograms(&self) -> Vec<(&'static str, Histogram)> {
        let mut all = Latency::default();
        self.cores.iter().for_each(|core| all.add_calls(&core.histograms));
        let named = all.calls.into_iter().zip(table().entries());
        named.filter_map(|(histogram, entry)| Some((entry.full_name, *histogram?))).collect()
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<&str, u64> {
        let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
        for (code, count) in self.cores.iter().flat_map(|core| &core.stats.errors) {
            *errors.entry(code).or_default() += count;
        }
        errors
    }
}

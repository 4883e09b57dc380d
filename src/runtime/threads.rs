//! One thread per core: which CPUs there are, who gets which, and how a thread is named and pinned.

use std::fmt;
use std::io;
use std::thread::{Builder, JoinHandle};

use core_affinity::CoreId;

/// No machine has more; a bound against `0-4000000000` in a configuration file.
const CPU_MAX: usize = 1 << 16;

/// Why shards cannot be placed.
#[derive(Debug, PartialEq, Eq)]
pub enum PlaceError {
    /// The list cannot be read.
    Syntax(String),
    /// The process may not use this CPU.
    NotAllowed(usize),
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlaceError::Syntax(text) => write!(f, "'{text}' is not a list of CPUs like 0-3,8 or 0-7:2"),
            PlaceError::NotAllowed(cpu) => write!(f, "CPU {cpu} is not among those this process may use"),
        }
    }
}

impl std::error::Error for PlaceError {}

/// The CPUs this process may use (taskset, cpusets), in ascending order; at least one.
pub fn allowed_cpus() -> Vec<usize> {
    let mut cpus: Vec<usize> = core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    if cpus.is_empty() {
        cpus.push(0);
    }
    cpus
}

/// Reads a list of CPUs as taskset does: `0-3,8`, `0-7:2`.
pub fn parse_cpus(text: &str) -> Result<Vec<usize>, PlaceError> {
    let wrong = || PlaceError::Syntax(text.to_owned());
    let number = |part: &str| part.trim().parse::<usize>().ok().filter(|cpu| *cpu < CPU_MAX).ok_or_else(wrong);
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once(':').map_or((part, Ok(1)), |(range, step)| (range, number(step)));
        let step = step?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        if step == 0 || first > last {
            return Err(wrong());
        }
        cpus.extend((first..=last).step_by(step));
    }
    Ok(cpus)
}

/// Which CPU each of `shards` gets: those of the list, or all allowed ones, in turn; more shards than CPUs share them.
pub fn place(shards: usize, list: Option<&[usize]>, allowed: &[usize]) -> Result<Vec<usize>, PlaceError> {
    let cpus = list.filter(|list| !list.is_empty()).unwrap_or(allowed);
    match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(PlaceError::NotAllowed(*cpu)),
        None => Ok(cpus.iter().copied().cycle().take(shards).collect()),
    }
}

/// Starts a named thread on a CPU. A thread that cannot be pinned runs unpinned: slower, but right.
pub fn spawn<T: Send + 'static>(
    name: String,
    cpu: Option<usize>,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name).spawn(move || {
        if let Some(id) = cpu {
            core_affinity::set_for_current(CoreId { id });
        }
        run()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_read_as_taskset_does() {
        assert_eq!(parse_cpus("0-3,8").unwrap(), [0, 1, 2, 3, 8]);
        assert_eq!(parse_cpus("0-7:2, 9").unwrap(), [0, 2, 4, 6, 9]);
        for wrong in ["", "a", "3-1", "0-3:0", "1,,2", "-1", "0-4000000000", "1-2-3"] {
            assert_eq!(parse_cpus(wrong), Err(PlaceError::Syntax(wrong.to_owned())), "{wrong}");
        }
    }

    #[test]
    fn more_shards_than_cpus_share_them() {
        assert_eq!(place(5, None, &[1, 3]).unwrap(), [1, 3, 1, 3, 1]);
        assert_eq!(place(2, Some(&[3]), &[1, 3]).unwrap(), [3, 3]);
        assert_eq!(place(1, Some(&[2]), &[1, 3]), Err(PlaceError::NotAllowed(2)));
    }

    #[test]
    fn a_spawned_thread_has_its_name_and_only_its_cpu() {
        let cpu = allowed_cpus()[0];
        let thread = spawn("shard-7".to_owned(), Some(cpu), || {
            (std::thread::current().name().map(str::to_owned), allowed_cpus())
        });
        let (name, cpus) = thread.unwrap().join().unwrap();
        assert_eq!((name.as_deref(), cpus), (Some("shard-7"), vec![cpu]));
    }
}

//! The scripts the server knows, under their SHA.
//!
//! One register for all cores, asked only when a core does not know a script yet: each keeps what it has seen, and a
//! script that is known no more says so itself ([`Script::gone`]). As in Valkey, scripts that came by EVAL are forgotten
//! when there are more than 500, the one unused for longest first; those that came by SCRIPT LOAD stay.

use super::text::{Script, Sha};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Scripts that came by EVAL, at most.
pub const EVAL_MAX: usize = 500;

/// All scripts.
#[derive(Default, Debug)]
pub struct Scripts {
    by_sha: HashMap<Sha, Kept>,
    evals: usize,
    /// Scripts forgotten for being too many (INFO evicted_scripts).
    pub evicted: u64,
}

#[derive(Debug)]
struct Kept {
    script: Arc<Script>,
    /// It came by EVAL and was never loaded.
    by_eval: bool,
}

/// Counts uses, to tell what was used when.
static USES: AtomicU64 = AtomicU64::new(1);

/// Notes a use.
pub fn touch(script: &Script) {
    script.used.store(USES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
}

impl Scripts {
    /// The script of this SHA.
    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.by_sha.get(sha).map(|kept| Arc::clone(&kept.script))
    }

    /// Adds a script, or finds that it is there; SCRIPT LOAD (`load`) makes one that came by EVAL stay.
    pub fn add(&mut self, script: Arc<Script>, load: bool) -> Arc<Script> {
        if let Some(kept) = self.by_sha.get_mut(&script.sha) {
            if load && std::mem::replace(&mut kept.by_eval, false) {
                self.evals -= 1;
            }
            return Arc::clone(&kept.script);
        }
        if !load {
            self.make_room();
            self.evals += 1;
        }
        touch(&script);
        self.by_sha.insert(script.sha, Kept { script: Arc::clone(&script), by_eval: !load });
        script
    }

    fn make_room(&mut self) {
        while self.evals >= EVAL_MAX {
            let evals = self.by_sha.values().filter(|kept| kept.by_eval);
            let oldest = evals.min_by_key(|kept| kept.script.used.load(Ordering::Relaxed)).expect("some came by EVAL");
            let oldest = Arc::clone(&oldest.script);
            oldest.gone.store(true, Ordering::Release);
            self.by_sha.remove(&oldest.sha);
            self.evals -= 1;
            self.evicted += 1;
        }
    }

    /// Forgets one that does not compile.
    pub fn forget(&mut self, sha: &Sha) {
        if let Some(kept) = self.by_sha.remove(sha) {
            kept.script.gone.store(true, Ordering::Release);
            self.evals -= usize::from(kept.by_eval);
        }
    }

    /// Forgets all.
    pub fn flush(&mut self) {
        self.by_sha.values().for_each(|kept| kept.script.gone.store(true, Ordering::Release));
        self.by_sha.clear();
        self.evals = 0;
    }

    /// Number of scripts.
    pub fn len(&self) -> usize {
        self.by_sha.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.by_sha.is_empty()
    }

    /// Bytes they hold.
    pub fn memory_bytes(&self) -> usize {
        let each = size_of::<Sha>() + size_of::<Kept>();
        self.by_sha.values().map(|kept| kept.script.memory_bytes() + each).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::text::sha_of;

    fn script(n: usize) -> Arc<Script> {
        let body = format!("return {n}");
        Arc::new(Script::new(body.as_bytes(), sha_of(body.as_bytes())).unwrap())
    }

    #[test]
    fn the_eval_unused_for_longest_goes_and_what_was_loaded_stays() {
        let mut scripts = Scripts::default();
        let (first, second, loaded) = (script(1), script(2), script(3));
        scripts.add(Arc::clone(&loaded), true);
        scripts.add(Arc::clone(&first), false);
        scripts.add(Arc::clone(&second), false);
        (10..10 + EVAL_MAX - 2).for_each(|n| drop(scripts.add(script(n), false)));
        assert_eq!((scripts.len(), scripts.evicted), (EVAL_MAX + 1, 0));
        touch(&first);
        scripts.add(script(9_999), false);
        assert_eq!(scripts.evicted, 1);
        assert!(scripts.get(&second.sha).is_none() && second.gone.load(Ordering::Relaxed));
        assert!(scripts.get(&first.sha).is_some() && scripts.get(&loaded.sha).is_some());
    }

    #[test]
    fn loading_what_came_by_eval_makes_it_stay() {
        let mut scripts = Scripts::default();
        let kept = scripts.add(script(1), false);
        assert!(Arc::ptr_eq(&kept, &scripts.add(script(1), true)));
        (10..10 + EVAL_MAX + 5).for_each(|n| drop(scripts.add(script(n), false)));
        assert!(scripts.get(&kept.sha).is_some());
    }
}

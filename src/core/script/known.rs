//! Scripts and libraries: what this core has seen, and what all share.

use crate::core::Center;
use crate::script::cache::{self, touch};
use crate::script::library::Libraries;
use crate::script::text::{Script, Sha, sha_of};
use shards::error::CommandError;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Scripts a core keeps at hand before it forgets those that are gone.
const AT_HAND: usize = 2048;
/// Longest text that is found by itself, without its SHA.
const SHORT_BYTES: usize = 4096;

/// What all cores share: asked when a core does not know, and changed by SCRIPT and FUNCTION.
#[derive(Default)]
pub struct Register {
    scripts: Mutex<cache::Scripts>,
    libraries: Mutex<Arc<Libraries>>,
    version: AtomicU64,
    /// 0: no script is slow; else what kinds are: bit 0 EVAL, bit 1 FCALL, counted in the bits above.
    busy: AtomicU64,
}

impl Register {
    /// The scripts.
    pub fn scripts(&self) -> MutexGuard<'_, cache::Scripts> {
        self.scripts.lock().expect("nobody panics with the scripts in hand")
    }

    /// The libraries.
    pub fn libraries(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries.lock().expect("nobody panics with the libraries in hand"))
    }

    /// Changes the libraries, all or nothing.
    pub fn change_libraries<T>(&self, change: impl FnOnce(&mut Libraries) -> Result<T, String>) -> Result<T, String> {
        let mut guard = self.libraries.lock().expect("nobody panics with the libraries in hand");
        let mut next = Libraries::clone(&guard);
        let result = change(&mut next)?;
        for (name, old) in &guard.by_name {
            if !next.by_name.get(name).is_some_and(|new| Arc::ptr_eq(new, old)) {
                old.gone.store(true, Ordering::Release);
            }
        }
        *guard = Arc::new(next);
        self.version.fetch_add(1, Ordering::Release);
        Ok(result)
    }

    /// Notes that a script is slow (`+1`) or no more (`-1`).
    pub fn note_busy(&self, function: bool, more: bool) {
        let one = if function { 1 << 32 } else { 1 };
        if more { self.busy.fetch_add(one, Ordering::Release) } else { self.busy.fetch_sub(one, Ordering::Release) };
    }

    /// What others hear while a script is slow.
    #[inline]
    pub fn busy_error(&self) -> Option<CommandError> {
        match self.busy.load(Ordering::Relaxed) {
            0 => None,
            n if n < 1 << 32 => Some(super::kill::SLOW_EVAL),
            _ => Some(super::kill::SLOW_FUNCTION),
        }
    }
}

/// What one core has seen.
#[derive(Default)]
pub struct Known {
    by_sha: HashMap<Sha, Arc<Script>>,
    by_text: HashMap<Box<[u8]>, Arc<Script>>,
    libraries: Arc<Libraries>,
    version: u64,
}

impl Center {
    /// The script of this text, which is known from now on.
    pub fn script_of(&mut self, body: &[u8]) -> Result<Arc<Script>, CommandError> {
        let known = &mut self.scripts.known;
        if let Some(script) = known.by_text.get(body)
            && !script.gone.load(Ordering::Relaxed)
        {
            touch(script);
            return Ok(Arc::clone(script));
        }
        let sha = sha_of(body);
        let script = match self.script_named(&sha) {
            Some(script) => script,
            None => {
                let script = Script::new(body, sha).map_err(|text| CommandError::owned(format!("ERR {text}")))?;
                let script = self.shared.register.scripts().add(Arc::new(script), false);
                self.keep_at_hand(&script);
                script
            }
        };
        if body.len() <= SHORT_BYTES {
            self.scripts.known.by_text.insert(body.into(), Arc::clone(&script));
        }
        Ok(script)
    }

    /// The script of this SHA, if it is known.
    pub fn script_named(&mut self, sha: &Sha) -> Option<Arc<Script>> {
        if let Some(script) = self.scripts.known.by_sha.get(sha)
            && !script.gone.load(Ordering::Relaxed)
        {
            touch(script);
            return Some(Arc::clone(script));
        }
        let script = self.shared.register.scripts().get(sha)?;
        touch(&script);
        self.keep_at_hand(&script);
        Some(script)
    }

    fn keep_at_hand(&mut self, script: &Arc<Script>) {
        let known = &mut self.scripts.known;
        if known.by_sha.len() >= AT_HAND || known.by_text.len() >= AT_HAND {
            known.by_sha.retain(|_, script| !script.gone.load(Ordering::Relaxed));
            known.by_text.retain(|_, script| !script.gone.load(Ordering::Relaxed));
        }
        known.by_sha.insert(script.sha, Arc::clone(script));
    }

    /// The libraries as they are now.
    pub fn libraries(&mut self) -> &Arc<Libraries> {
        let version = self.shared.register.version.load(Ordering::Acquire);
        let known = &mut self.scripts.known;
        if known.version != version {
            known.libraries = self.shared.register.libraries();
            known.version = version;
        }
        &known.libraries
    }
}

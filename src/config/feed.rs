//! How a change reaches the cores.
//!
//! One core owns the [`Store`](super::store::Store); each other core holds a [`Reader`]. A reader compares one number,
//! and only when that number moved does it fetch the new configuration, behind a lock that is otherwise never touched.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::current::Config;

/// The latest configuration, for every core to look at.
pub struct Feed {
    epoch: AtomicU64,
    latest: Mutex<Arc<Config>>,
}

impl Feed {
    pub(super) fn new(config: Arc<Config>) -> Feed {
        Feed { epoch: AtomicU64::new(config.epoch), latest: Mutex::new(config) }
    }

    pub(super) fn publish(&self, config: Arc<Config>) {
        let epoch = config.epoch;
        assert!(epoch > self.epoch.load(Ordering::Relaxed), "epochs grow");
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = config;
        // Release: whoever sees the number also sees the configuration.
        self.epoch.store(epoch, Ordering::Release);
    }

    fn latest(&self) -> Arc<Config> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A core's view of the configuration.
#[derive(Clone)]
pub struct Reader {
    feed: Arc<Feed>,
    config: Arc<Config>,
}

impl Reader {
    pub(super) fn new(feed: Arc<Feed>) -> Reader {
        let config = feed.latest();
        Reader { feed, config }
    }

    /// The configuration as of the last `refresh`.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Takes up a newer configuration if there is one, and says so. Once a turn is often enough.
    pub fn refresh(&mut self) -> bool {
        if self.feed.epoch.load(Ordering::Acquire) == self.config.epoch {
            return false;
        }
        self.config = self.feed.latest();
        true
    }
}

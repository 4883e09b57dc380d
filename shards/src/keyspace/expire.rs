//! Active expiry: finding keys whose time has come although nobody asks for them.
//!
//! Each tick walks a few leaves of each database that has keys with a TTL and removes what is due, through the gate's
//! own door. The effort adapts: while a round finds more than `STALE_PERCENT` of the keys it saw due, it goes on at once,
//! within the time budget the caller gives as a number of leaves (the engine knows no clock).

use super::space::Keyspace;

/// A round that finds more than this share due is followed by another at once (Valkey's default at effort 1).
const STALE_PERCENT: usize = 10;

/// Where the walk stands.
#[derive(Clone, Debug, Default)]
pub struct ActiveExpiry {
    db: usize,
    cursors: Vec<u64>,
}

impl ActiveExpiry {
    /// Looks at up to `leaves` leaves of the next database that has TTLs and removes what is due; true if there is
    /// reason to go on at once.
    pub fn round(&mut self, ks: &mut Keyspace, leaves: usize, locked: &dyn Fn(u32, &[u8]) -> bool) -> bool {
        let databases = ks.databases();
        self.cursors.resize(databases, 0);
        let Some(db) = (0..databases).map(|i| (self.db + i) % databases).find(|db| ks.dbs[*db].expires_len() > 0) else {
            return false;
        };
        let now_ms = ks.now_ms;
        let table = &ks.dbs[db];
        let mut due: Vec<Box<[u8]>> = Vec::new();
        let (next, seen) = table.walk_expired(self.cursors[db], leaves, now_ms, &mut |pos| due.push(table.key(pos).into()));
        self.cursors[db] = next;
        let found = due.len();
        for key in due {
            if !locked(db as u32, &key) {
                ks.expire_if_due(db as u32, &key);
            }
        }
        ks.settle(db as u32);
        let stale = found * 100 > seen * STALE_PERCENT;
        if !stale {
            self.db = (db + 1) % databases;
        }
        stale && found > 0
    }
}

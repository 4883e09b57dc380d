//! The directives whose value is one word out of a few.
//!
//! The order of the words is the order in which an error message lists them; the first word of a variant is the one shown.

use super::values::choice;

choice! {
    /// Which keys are evicted at the memory limit.
    pub enum MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        Noeviction = "noeviction",
    }
}

impl MaxmemoryPolicy {
    /// Evicts what is used least often.
    pub fn is_lfu(self) -> bool {
        matches!(self, MaxmemoryPolicy::VolatileLfu | MaxmemoryPolicy::AllkeysLfu)
    }

    /// Evicts what was used longest ago.
    pub fn is_lru(self) -> bool {
        matches!(self, MaxmemoryPolicy::VolatileLru | MaxmemoryPolicy::AllkeysLru)
    }

    /// Looks at all keys, not only at those with an expiry.
    pub fn is_allkeys(self) -> bool {
        use MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, AllkeysRandom};
        matches!(self, AllkeysLfu | AllkeysLru | AllkeysRandom)
    }
}

choice! {
    /// Syslog facility.
    pub enum SyslogFacility {
        User = "user",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }
}

choice! {
    /// Least important messages still logged.
    pub enum LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }
}

choice! {
    /// Which supervisor is told about readiness.
    pub enum Supervised {
        Upstart = "upstart",
        Systemd = "systemd",
        Auto = "auto",
        No = "no",
    }
}

choice! {
    /// When the append-only file is forced to disk.
    pub enum AppendFsync {
        Everysec = "everysec",
        Always = "always",
        No = "no",
    }
}

choice! {
    /// How a replica loads a diskless sync.
    pub enum DisklessLoad {
        Disabled = "disabled",
        OnEmptyDb = "on-empty-db",
        Swapdb = "swapdb",
        FlushBeforeLoad = "flush-before-load",
    }
}

choice! {
    /// Whether TLS clients show a certificate.
    pub enum TlsAuthClients {
        No = "no",
        Yes = "yes",
        Optional = "optional",
    }
}

choice! {
    /// Field of a certificate that names the user.
    pub enum TlsUserField {
        Cn = "CN",
        Uri = "URI",
        Off = "off",
    }
}

choice! {
    /// How the OOM score is adjusted.
    pub enum OomScoreAdj {
        No = "no",
        Yes = "yes" | "relative",
        Absolute = "absolute",
    }
}

choice! {
    /// Channels of a new user.
    pub enum PubsubDefault {
        Allchannels = "allchannels",
        Resetchannels = "resetchannels",
    }
}

choice! {
    /// Who may do a guarded thing.
    pub enum ProtectedAction {
        No = "no",
        Yes = "yes",
        Local = "local",
    }
}

choice! {
    /// What cluster redirects name.
    pub enum EndpointType {
        Ip = "ip",
        Hostname = "hostname",
        UnknownEndpoint = "unknown-endpoint",
    }
}

choice! {
    /// What a failed save of the cluster file does.
    pub enum SaveBehavior {
        Sync = "sync",
        BestEffort = "best-effort",
    }
}

choice! {
    /// What a failing replicated command does.
    pub enum PropagationError {
        Ignore = "ignore",
        Panic = "panic",
        PanicOnReplicas = "panic-on-replicas",
    }
}

choice! {
    /// Form of a log line.
    pub enum LogFormat {
        Legacy = "legacy",
        Logfmt = "logfmt",
        Json = "json",
    }
}

choice! {
    /// Form of the time in it.
    pub enum LogTimestamp {
        Legacy = "legacy",
        Iso8601 = "iso8601",
        Milliseconds = "milliseconds",
    }
}

choice! {
    /// Whether newer snapshots are refused.
    pub enum RdbVersionCheck {
        Strict = "strict",
        Relaxed = "relaxed",
    }
}

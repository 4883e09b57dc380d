//! Who may do what.

use crate::config::choices::{ProtectedAction, PubsubDefault};
use crate::config::row::rows;
use crate::config::values::{I64_MAX, Secret, Text};

rows! { security: Security, "SECURITY", "Who may do what.";
    "requirepass" => requirepass: Secret = Secret::of(""),
        "Password of the default user.",
        empty_is_unset, binary, sensitive;
    "aclfile" => aclfile: Text = Text::of(""),
        "File of ACL users; then \"user\" lines may not stand in this file.",
        immutable;
    "acllog-max-len" => acllog_max_len: u64 = 128,
        "Entries kept by ACL LOG.",
        range(0, I64_MAX);
    "acl-pubsub-default" => acl_pubsub_default: PubsubDefault = PubsubDefault::Resetchannels,
        "Channels a new user may use: allchannels or resetchannels (none).";
    "enable-protected-configs" => enable_protected_configs: ProtectedAction = ProtectedAction::No,
        "Who may set protected directives at run time: no, yes, or clients of this machine (local).",
        immutable;
    "enable-debug-command" => enable_debug_command: ProtectedAction = ProtectedAction::No,
        "Who may use DEBUG; same words.",
        immutable;
    "enable-module-command" => enable_module_command: ProtectedAction = ProtectedAction::No,
        "Who may use MODULE; same words.",
        immutable, idle("Ringkey does not run modules");
}

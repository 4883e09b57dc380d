//! What can be wrong with a rule, with Valkey's texts.

/// Why a rule is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    /// No such command or category.
    Unknown,
    /// It makes no sense.
    Syntax,
    /// A key pattern behind `~*`.
    BehindAllKeys,
    /// A channel pattern behind `&*`.
    BehindAllChannels,
    /// A password to take away that is not there.
    NoSuchPassword,
    /// A password hash that is none.
    BadHash,
    /// `+config|get|x`.
    FirstArgOfSubcommand,
    /// A database number beyond 31 bits.
    DatabaseOutOfRange,
}

impl RuleError {
    /// The text.
    pub fn text(self) -> &'static str {
        match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::BehindAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::BehindAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            RuleError::DatabaseOutOfRange => "The provided database ID is out of range",
        }
    }
}

//! The row of a directive, and the macro that makes a room of them.
//!
//! A directive is written down once: name, field, type, default, what it does, and its properties. From that one
//! place come the typed field that the server reads, CONFIG GET / SET / REWRITE, the loader, the start-up notices and
//! `deploy/ringkey.conf`. Rooms group directives as the documented file does; `config.memory.maxmemory` is a field
//! read, nothing more.

use super::current::Config;
use super::values::{Check, Rule, Unit, Value};

/// What setting a directive brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what it says.
    Applied,
    /// It has no meaning here, for this reason, and never will.
    Idle(&'static str),
    /// What it governs is missing so far, for this reason.
    Later(&'static str),
}

/// One directive.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// An older name for it.
    pub alias: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// Bounds, unit and checks of its value.
    pub rule: Rule,
    /// What setting it brings about.
    pub effect: Effect,
    /// Can be set only at start.
    pub immutable: bool,
    /// Though immutable, CONFIG SET takes the value it has: whoever sets all that CONFIG GET shows meets no error from
    /// directives that Valkey has not.
    pub repeatable: bool,
    /// Answers CONFIG GET only to its exact name.
    pub hidden: bool,
    /// Its value is a secret.
    pub sensitive: bool,
    /// Can be set at run time only where enable-protected-configs allows.
    pub protected: bool,
    /// Cannot be set while a data set loads.
    pub deny_loading: bool,
    /// Its value is a list of words.
    pub multi_arg: bool,
    /// Setting it to the value it has still counts as a change (a file's content may be new).
    pub volatile: bool,
    /// Shown in crash reports.
    pub debug: bool,
    get: fn(&Config) -> &dyn Value,
    get_mut: fn(&mut Config) -> &mut dyn Value,
}

impl Row {
    /// A row with nothing special about it.
    pub const fn new(
        name: &'static str,
        doc: &'static str,
        get: fn(&Config) -> &dyn Value,
        get_mut: fn(&mut Config) -> &mut dyn Value,
    ) -> Row {
        let rule = Rule { low: 0, high: 0, unit: Unit::Plain, empty_is_unset: false, binary: false, check: None };
        Row {
            name,
            alias: None,
            doc,
            rule,
            effect: Effect::Applied,
            immutable: false,
            repeatable: false,
            hidden: false,
            sensitive: false,
            protected: false,
            deny_loading: false,
            multi_arg: false,
            volatile: false,
            debug: false,
            get,
            get_mut,
        }
    }

    /// The value in `config`.
    pub fn value<'a>(&self, config: &'a Config) -> &'a dyn Value {
        (self.get)(config)
    }

    /// The value in `config`, to change it.
    pub fn value_mut<'a>(&self, config: &'a mut Config) -> &'a mut dyn Value {
        (self.get_mut)(config)
    }

    /// The text CONFIG GET answers.
    pub fn show(&self, config: &Config) -> Vec<u8> {
        self.value(config).show(&self.rule)
    }

    pub(super) const fn range(mut self, low: i128, high: i128) -> Row {
        assert!(low < high);
        self.rule.low = low;
        self.rule.high = high;
        self
    }

    pub(super) const fn octal(mut self) -> Row {
        self.rule.unit = Unit::Octal;
        self
    }

    pub(super) const fn memory(mut self) -> Row {
        self.rule.unit = Unit::Memory;
        self
    }

    pub(super) const fn signed_memory(mut self) -> Row {
        self.rule.unit = Unit::SignedMemory;
        self
    }

    pub(super) const fn memory_or_percent(mut self) -> Row {
        self.rule.unit = Unit::MemoryOrPercent;
        self
    }

    pub(super) const fn empty_is_unset(mut self) -> Row {
        self.rule.empty_is_unset = true;
        self
    }

    pub(super) const fn binary(mut self) -> Row {
        self.rule.binary = true;
        self
    }

    pub(super) const fn check(mut self, check: Check) -> Row {
        self.rule.check = Some(check);
        self
    }

    pub(super) const fn alias(mut self, alias: &'static str) -> Row {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn immutable(mut self) -> Row {
        self.immutable = true;
        self
    }

    pub(super) const fn repeatable(mut self) -> Row {
        self.repeatable = true;
        self
    }

    pub(super) const fn hidden(mut self) -> Row {
        self.hidden = true;
        self
    }

    pub(super) const fn sensitive(mut self) -> Row {
        self.sensitive = true;
        self
    }

    pub(super) const fn protected(mut self) -> Row {
        self.protected = true;
        self
    }

    pub(super) const fn deny_loading(mut self) -> Row {
        self.deny_loading = true;
        self
    }

    pub(super) const fn multi_arg(mut self) -> Row {
        self.multi_arg = true;
        self
    }

    pub(super) const fn volatile(mut self) -> Row {
        self.volatile = true;
        self
    }

    pub(super) const fn debug(mut self) -> Row {
        self.debug = true;
        self
    }

    pub(super) const fn idle(mut self, reason: &'static str) -> Row {
        self.effect = Effect::Idle(reason);
        self
    }

    pub(super) const fn later(mut self, reason: &'static str) -> Row {
        self.effect = Effect::Later(reason);
        self
    }
}

/// A group of directives.
pub struct Room {
    /// Its heading in the documented file.
    pub title: &'static str,
    /// What it is about.
    pub essay: &'static str,
    /// Its directives, in the order of the documented file.
    pub rows: &'static [Row],
}

/// Makes a room: a struct with a typed field for each directive, its defaults, and its rows.
///
/// `"name" => field: Type = default, "what it does", property, property(argument);`
macro_rules! rows {
    ($room:ident: $Room:ident, $title:literal, $essay:literal;
     $($name:literal => $field:ident: $Type:ty = $default:expr, $doc:literal $(, $property:ident $(($($argument:expr),*))?)*;)*) => {
        #[doc = $essay]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Room {
            $(#[doc = concat!("`", $name, "`: ", $doc)] pub $field: $Type,)*
        }

        impl Default for $Room {
            fn default() -> $Room {
                $Room { $($field: $default,)* }
            }
        }

        /// The room for the table.
        pub const ROOM: $crate::config::row::Room = $crate::config::row::Room {
            title: $title,
            essay: $essay,
            rows: &[$(
                $crate::config::row::Row::new(
                    $name,
                    $doc,
                    |config| &config.$room.$field,
                    |config| &mut config.$room.$field,
                )$(.$property($($($argument),*)?))*,
            )*],
        };
    };
}
pub(crate) use rows;

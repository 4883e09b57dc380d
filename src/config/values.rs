//! What a directive's value can be, and how it is read from text and shown again.
//!
//! A value is a plain field of [`Config`](super::current::Config), typed for the code that uses it. To the loader, CONFIG GET,
//! CONFIG SET and CONFIG REWRITE it is a [`Value`]: something that takes words and gives text. The rules of one
//! directive (bounds, unit, flags) stand in its row and are handed in as [`Rule`], so the field itself is as
//! small as a bool or a number.
//!
//! Invariant: `set` either takes the whole value or leaves the old one and says why.

use std::borrow::Cow;
use std::fmt;

/// 2^20 bytes.
pub const MIB: i64 = 1024 * 1024;
/// Smallest C int.
pub const I32_MIN: i128 = i32::MIN as i128;
/// Largest C int.
pub const I32_MAX: i128 = i32::MAX as i128;
/// Largest C unsigned int.
pub const U32_MAX: i128 = u32::MAX as i128;
/// Largest C long.
pub const I64_MAX: i128 = i64::MAX as i128;
/// Largest C unsigned long.
pub const U64_MAX: i128 = u64::MAX as i128;

/// Why a value was refused, in the words Valkey uses.
pub type Reason = Cow<'static, str>;

/// A last look at a text.
pub type Check = fn(&[u8]) -> Result<(), &'static str>;

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 12
    Plain,
    /// 0700
    Octal,
    /// 64mb
    Memory,
    /// 64mb, or a plain negative number with a meaning of its own
    SignedMemory,
    /// 64mb, or 12%, which is kept as -12
    MemoryOrPercent,
}

/// What a row says about its value.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Smallest number allowed.
    pub low: i128,
    /// Largest number allowed.
    pub high: i128,
    /// How a number is written.
    pub unit: Unit,
    /// An empty text means "not set" and is left out of a rewritten file.
    pub empty_is_unset: bool,
    /// A text keeps bytes after a NUL.
    pub binary: bool,
    /// A last look at a text.
    pub check: Option<Check>,
}

/// Where words come from. `save` adds up over the lines of a file but replaces itself in CONFIG SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The first line of a file or command line that names the directive.
    FirstLine,
    /// A later such line.
    LaterLine,
    /// CONFIG SET.
    Command,
}

/// What CONFIG REWRITE does with a directive.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// These lines; `always` is false where a line may be left out because it says the default.
    Lines(Vec<(Vec<u8>, bool)>),
    /// Drop the lines that are there.
    Nothing,
    /// Leave the lines that are there.
    Untouched,
}

/// A directive's value as the loader and the CONFIG command see it.
pub trait Value: Send + Sync {
    /// Takes the words of a line or command. `Ok(true)` when the value is another one now.
    fn set(&mut self, words: &[&[u8]], rule: &Rule, origin: Origin) -> Result<bool, Reason>;
    /// The text CONFIG GET answers.
    fn show(&self, rule: &Rule) -> Vec<u8>;
    /// The lines for CONFIG REWRITE. `default` is what `show` gives for the default.
    fn write(&self, name: &str, default: &[u8], rule: &Rule) -> Written {
        let shown = self.show(rule);
        let always = shown != default;
        Written::Lines(vec![(line(name, &shown), always)])
    }
}

/// `name value`, a line of a file.
pub fn line(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b" ", value].concat()
}

/// The one word a plain directive takes.
fn single<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], Reason> {
    match words {
        [word] => Ok(word),
        _ => Err("wrong number of arguments".into()),
    }
}

/// Puts `new` in place; true when it differs.
pub fn replace<T: PartialEq>(place: &mut T, new: T) -> bool {
    let changed = *place != new;
    *place = new;
    changed
}

impl Value for bool {
    fn set(&mut self, words: &[&[u8]], _: &Rule, _: Origin) -> Result<bool, Reason> {
        let word = single(words)?;
        let new = if word.eq_ignore_ascii_case(b"yes") {
            true
        } else if word.eq_ignore_ascii_case(b"no") {
            false
        } else {
            return Err("argument must be 'yes' or 'no'".into());
        };
        Ok(replace(self, new))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        if *self { b"yes".to_vec() } else { b"no".to_vec() }
    }
}

impl Value for i64 {
    fn set(&mut self, words: &[&[u8]], rule: &Rule, _: Origin) -> Result<bool, Reason> {
        let number = super::numbers::parse(single(words)?, rule, false)?;
        Ok(replace(self, i64::try_from(number).expect("the bounds of the row lie within i64")))
    }

    fn show(&self, rule: &Rule) -> Vec<u8> {
        super::numbers::show(i128::from(*self), rule)
    }

    fn write(&self, name: &str, default: &[u8], rule: &Rule) -> Written {
        let text = super::numbers::write(i128::from(*self), rule);
        Written::Lines(vec![(line(name, &text), self.show(rule) != default)])
    }
}

impl Value for u64 {
    fn set(&mut self, words: &[&[u8]], rule: &Rule, _: Origin) -> Result<bool, Reason> {
        let number = super::numbers::parse(single(words)?, rule, true)?;
        Ok(replace(self, u64::try_from(number).expect("the bounds of the row lie within u64")))
    }

    fn show(&self, rule: &Rule) -> Vec<u8> {
        super::numbers::show(i128::from(*self), rule)
    }

    fn write(&self, name: &str, default: &[u8], rule: &Rule) -> Written {
        let text = super::numbers::write(i128::from(*self), rule);
        Written::Lines(vec![(line(name, &text), self.show(rule) != default)])
    }
}

/// A text: any bytes, since file names and names of things need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text(Vec<u8>);

impl Text {
    /// A text of ours.
    pub fn of(text: &str) -> Text {
        Text(text.as_bytes().to_vec())
    }

    /// A text of any bytes.
    pub fn of_bytes(bytes: &[u8]) -> Text {
        Text(bytes.to_vec())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Nothing there, which for most directives means "not set".
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the name of a file.
    pub fn as_path(&self) -> &std::path::Path {
        use std::os::unix::ffi::OsStrExt;
        std::path::Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// As text, with what is not UTF-8 replaced.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_str_lossy())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.to_str_lossy())
    }
}

impl Value for Text {
    fn set(&mut self, words: &[&[u8]], rule: &Rule, _: Origin) -> Result<bool, Reason> {
        let mut word = single(words)?;
        if !rule.binary {
            // As a C string: the value ends where a NUL stands.
            word = word.split(|byte| *byte == 0).next().unwrap_or_default();
        }
        if let Some(check) = rule.check {
            check(word)?;
        }
        Ok(replace(&mut self.0, word.to_vec()))
    }

    fn show(&self, _: &Rule) -> Vec<u8> {
        self.0.clone()
    }

    fn write(&self, name: &str, default: &[u8], rule: &Rule) -> Written {
        if rule.empty_is_unset && self.is_empty() {
            return Written::Nothing;
        }
        let quoted = super::words::quote(&self.0);
        Written::Lines(vec![(line(name, &quoted), self.0 != default)])
    }
}

/// A text that must not be seen in logs, panics or debug output.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Text);

impl Secret {
    /// A secret of ours, which can only be the empty one.
    pub fn of(text: &str) -> Secret {
        Secret(Text::of(text))
    }

    /// The secret itself. Whoever calls this must not write it down.
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_empty() { "(not set)" } else { "(redacted)" })
    }
}

impl Value for Secret {
    fn set(&mut self, words: &[&[u8]], rule: &Rule, origin: Origin) -> Result<bool, Reason> {
        self.0.set(words, rule, origin)
    }

    fn show(&self, rule: &Rule) -> Vec<u8> {
        self.0.show(rule)
    }

    fn write(&self, name: &str, default: &[u8], rule: &Rule) -> Written {
        self.0.write(name, default, rule)
    }
}

/// The refusal that lists the words allowed. Valkey's buffer holds 255 bytes of it.
pub fn one_of(words: &[&str]) -> Reason {
    let mut text = format!("argument(s) must be one of the following: {}", words.join(", "));
    text.truncate(255);
    text.into()
}

/// A type whose values are words: `Variant = "word" | "other word"`.
macro_rules! choice {
    ($(#[$doc:meta])* pub enum $Type:ident { $($Variant:ident = $word:literal $(| $other:literal)*),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Type {
            $(#[doc = concat!("`", $word, "`")] $Variant),*
        }

        impl $Type {
            /// The words allowed, in the order an error lists them.
            pub const WORDS: &'static [&'static str] = &[$($word $(, $other)*),*];

            /// The word for this value.
            pub fn as_str(self) -> &'static str {
                match self { $($Type::$Variant => $word),* }
            }

            /// The value for a word, whatever its case.
            pub fn from_word(word: &[u8]) -> Option<$Type> {
                $(if word.eq_ignore_ascii_case($word.as_bytes())
                    $(|| word.eq_ignore_ascii_case($other.as_bytes()))* { return Some($Type::$Variant); })*
                None
            }
        }

        impl $crate::config::values::Value for $Type {
            fn set(
                &mut self,
                words: &[&[u8]],
                _: &$crate::config::values::Rule,
                _: $crate::config::values::Origin,
            ) -> Result<bool, $crate::config::values::Reason> {
                let new = match words {
                    [word] => $Type::from_word(word),
                    _ => None,
                };
                let new = new.ok_or_else(|| $crate::config::values::one_of($Type::WORDS))?;
                Ok($crate::config::values::replace(self, new))
            }

            fn show(&self, _: &$crate::config::values::Rule) -> Vec<u8> {
                self.as_str().as_bytes().to_vec()
            }
        }
    };
}
pub(crate) use choice;

//! The text of INFO: sections behind each other, a blank line between two.

use std::fmt::{Display, Write as _};

/// The text so far.
#[derive(Default)]
pub struct Page {
    /// The text.
    pub text: String,
}

impl Page {
    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        let gap = if self.text.is_empty() { "" } else { "\r\n" };
        // Writing to a String cannot fail; so in all of this file.
        let _ = write!(self.text, "{gap}# {title}\r\n");
    }

    /// A line `name:value`.
    pub fn field(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.text, "{name}:{value}\r\n");
    }

    /// Lines of fields that say 0.
    pub fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }

    /// A number of bytes, and the same for people to read.
    pub fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

/// `973.34K`, as Valkey shows bytes to people.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32);
    let unit = UNITS[power as usize - 1];
    format!("{:.2}{unit}", bytes as f64 / (1u64 << (10 * power)) as f64)
}

/// `a / b`, or 0.
pub fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_to_people_as_in_valkey() {
        for (bytes, shown) in [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (996_704, "973.34K"), (25_276_510_208, "23.54G")] {
            assert_eq!(human(bytes), shown);
        }
        assert_eq!(human(u64::MAX), "16384.00P");
    }

    #[test]
    fn a_blank_line_stands_between_sections() {
        let mut page = Page::default();
        page.section("A");
        page.field("x", 1);
        page.section("B");
        assert_eq!(page.text, "# A\r\nx:1\r\n\r\n# B\r\n");
    }
}

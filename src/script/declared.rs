//! What can be seen of a script's calls from its text.
//!
//! Most scripts name every key plainly: `redis.call('GET', KEYS[1])`, or `local key = KEYS[1]` first. Such a script cannot
//! call a key that it did not declare, and that is worth knowing before it runs. This reads the tokens of a script and
//! gives its calls with what each argument is; on anything it does not understand (`local call = redis.call`, KEYS passed
//! on or assigned to, `load`) it gives nothing. It never runs code and may only err by giving up.

use std::collections::HashMap;

/// What an argument of a call is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arg {
    /// An element of KEYS.
    Key,
    /// This text.
    Literal(Vec<u8>),
    /// Anything.
    Unknown,
    /// Any number of anything: the last argument is a call or `...`.
    Open,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token<'a> {
    Name(&'a [u8]),
    /// A string without escapes.
    Text(&'a [u8]),
    /// A string with escapes.
    Escaped,
    Number(&'a [u8]),
    Symbol(&'a [u8]),
}

/// Tokens of a script; `None` if it is not even that.
fn tokens(code: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(b) = code.get(at).copied() {
        let rest = &code[at..];
        if b.is_ascii_whitespace() {
            at += 1;
        } else if rest.starts_with(b"--") {
            at += match long_bracket(&rest[2..]) {
                Some((_, len)) => 2 + len?,
                None => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            };
        } else if b == b'[' && long_bracket(rest).is_some() {
            let (text, len) = long_bracket(rest).expect("asked above");
            found.push(text.map_or(Token::Escaped, Token::Text));
            at += len?;
        } else if b == b'"' || b == b'\'' {
            let (token, len) = quoted(rest)?;
            found.push(token);
            at += len;
        } else if b.is_ascii_digit() || b == b'.' && rest.get(1).is_some_and(u8::is_ascii_digit) {
            let len = number_len(rest);
            found.push(Token::Number(&rest[..len]));
            at += len;
        } else if b.is_ascii_alphabetic() || b == b'_' {
            let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
            let len = rest.iter().position(|b| !is_part(b)).unwrap_or(rest.len());
            found.push(Token::Name(&rest[..len]));
            at += len;
        } else {
            let known: [&[u8]; 6] = [b"...", b"..", b"==", b"~=", b"<=", b">="];
            let len = known.iter().find(|symbol| rest.starts_with(symbol)).map_or(1, |symbol| symbol.len());
            found.push(Token::Symbol(&rest[..len]));
            at += len;
        }
    }
    Some(found)
}

/// `[[...]]` or `[=[...]=]`: its text (without a leading line break) and length; no length if it does not end.
#[allow(clippy::type_complexity)]
fn long_bracket(rest: &[u8]) -> Option<(Option<&[u8]>, Option<usize>)> {
    let level = rest.strip_prefix(b"[")?.iter().take_while(|b| **b == b'=').count();
    if rest.get(level + 1) != Some(&b'[') {
        return None;
    }
    let start = level + 2;
    let end: Vec<u8> = [&b"]"[..], &vec![b'='; level], b"]"].concat();
    match memchr::memmem::find(&rest[start..], &end) {
        Some(at) => {
            let text = &rest[start..start + at];
            let plain = !text.starts_with(b"\n") && !text.starts_with(b"\r");
            Some((plain.then_some(text), Some(start + at + end.len())))
        }
        None => Some((None, None)),
    }
}

fn quoted(rest: &[u8]) -> Option<(Token<'_>, usize)> {
    let mut at = 1;
    let mut escaped = false;
    loop {
        match rest.get(at)? {
            b'\\' => {
                escaped = true;
                at += 2;
            }
            b if *b == rest[0] => break,
            _ => at += 1,
        }
    }
    Some((if escaped { Token::Escaped } else { Token::Text(&rest[1..at]) }, at + 1))
}

fn number_len(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(b) = rest.get(at) {
        let sign = matches!(b, b'+' | b'-') && at > 0 && matches!(rest[at - 1], b'e' | b'E') && !rest.starts_with(b"0x");
        if !b.is_ascii_alphanumeric() && *b != b'.' && !sign {
            break;
        }
        at += 1;
    }
    at
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    /// For every bracket, its partner.
    partner: HashMap<usize, usize>,
    /// For every token, whether the innermost thing around it is a bracket (and not a block of statements).
    bracketed: Vec<bool>,
    /// Names of parameters of functions, by place.
    is_parameter: Vec<bool>,
    /// Variables that hold a key.
    key_names: Vec<&'a [u8]>,
}

/// The calls of a script, if they can be told.
pub fn calls(code: &[u8]) -> Option<Vec<Vec<Arg>>> {
    let mut reader = Reader::new(tokens(code)?)?;
    reader.find_key_names();
    reader.calls()
}

fn is_name(token: Option<&Token<'_>>, name: &[u8]) -> bool {
    matches!(token, Some(Token::Name(n)) if *n == name)
}

fn is_symbol(token: Option<&Token<'_>>, symbol: &[u8]) -> bool {
    matches!(token, Some(Token::Symbol(s)) if *s == symbol)
}

impl<'a> Reader<'a> {
    fn new(tokens: Vec<Token<'a>>) -> Option<Reader<'a>> {
        let mut reader = Reader {
            partner: HashMap::new(),
            bracketed: vec![false; tokens.len()],
            is_parameter: vec![false; tokens.len()],
            key_names: Vec::new(),
            tokens,
        };
        // What is open: a bracket (its place) or a block.
        let mut open: Vec<Option<usize>> = Vec::new();
        for i in 0..reader.tokens.len() {
            reader.bracketed[i] = matches!(open.last(), Some(Some(_)));
            match reader.tokens[i] {
                Token::Symbol(b"(" | b"[" | b"{") => open.push(Some(i)),
                Token::Symbol(b")" | b"]" | b"}") => {
                    let first = open.pop()??;
                    reader.partner.insert(first, i);
                    reader.partner.insert(i, first);
                }
                Token::Name(b"function") => {
                    open.push(None);
                    reader.note_parameters(i);
                }
                Token::Name(b"if" | b"do" | b"repeat") => open.push(None),
                Token::Name(b"end" | b"until") if open.pop()?.is_some() => return None,
                _ => {}
            }
        }
        open.is_empty().then_some(reader)
    }

    fn note_parameters(&mut self, function: usize) {
        let rest = &self.tokens[function..];
        let Some(begin) = rest.iter().position(|t| is_symbol(Some(t), b"(")) else { return };
        for (i, token) in rest.iter().enumerate().skip(begin) {
            self.is_parameter[function + i] = true;
            if is_symbol(Some(token), b")") {
                return;
            }
        }
    }

    fn before(&self, i: usize) -> Option<&Token<'a>> {
        i.checked_sub(1).and_then(|i| self.tokens.get(i))
    }

    fn is_field(&self, i: usize) -> bool {
        is_symbol(self.before(i), b".") || is_symbol(self.before(i), b":")
    }

    /// If `KEYS[...]` stands at `i` and nothing goes on from it, where it ends.
    fn key_at(&self, i: usize) -> Option<usize> {
        if !is_name(self.tokens.get(i), b"KEYS") || !is_symbol(self.tokens.get(i + 1), b"[") {
            return None;
        }
        let end = self.partner[&(i + 1)] + 1;
        let goes_on = match self.tokens.get(end) {
            Some(Token::Symbol(s)) => !matches!(*s, b"," | b")" | b"}" | b";"),
            Some(Token::Name(name)) => matches!(*name, b"and" | b"or"),
            Some(_) => true,
            None => false,
        };
        (!goes_on).then_some(end)
    }

    /// Finds `local a, b = KEYS[1], KEYS[2]` and `for _, a in ipairs(KEYS) do`; a name counts if it is bound nowhere else.
    fn find_key_names(&mut self) {
        let mut bound: Vec<(&'a [u8], usize)> = Vec::new();
        for i in 0..self.tokens.len() {
            if is_name(self.tokens.get(i), b"local") {
                bound.extend(self.local_keys(i));
            }
            let head = [&b"in"[..], b"ipairs"];
            if is_name(self.tokens.get(i), head[0])
                && is_name(self.tokens.get(i + 1), head[1])
                && is_symbol(self.tokens.get(i + 2), b"(")
                && is_name(self.tokens.get(i + 3), b"KEYS")
                && is_symbol(self.tokens.get(i + 4), b")")
                && is_symbol(i.checked_sub(2).and_then(|i| self.tokens.get(i)), b",")
                && let Some(Token::Name(name)) = self.before(i).copied()
            {
                bound.push((name, i - 1));
            }
        }
        let names = bound.iter().filter(|(name, at)| {
            let others = (0..self.tokens.len()).filter(|i| i != at && is_name(self.tokens.get(*i), name));
            others.into_iter().all(|i| self.is_field(i) || self.bracketed[i] && !self.is_parameter[i])
        });
        self.key_names = names.map(|(name, _)| *name).collect();
    }

    /// The names of a `local` whose values are all keys, and where they stand.
    fn local_keys(&self, local: usize) -> Vec<(&'a [u8], usize)> {
        let mut names = Vec::new();
        let mut i = local + 1;
        loop {
            let Some(Token::Name(name)) = self.tokens.get(i) else { return Vec::new() };
            names.push((*name, i));
            i += 1;
            match self.tokens.get(i) {
                Some(Token::Symbol(b",")) => i += 1,
                Some(Token::Symbol(b"=")) => break,
                _ => return Vec::new(),
            }
        }
        i += 1;
        for at in 0..names.len() {
            let Some(end) = self.key_at(i) else { return Vec::new() };
            i = end;
            let more = is_symbol(self.tokens.get(i), b",");
            if more != (at + 1 < names.len()) {
                return Vec::new();
            }
            i += usize::from(more);
        }
        names
    }

    fn calls(&self) -> Option<Vec<Vec<Arg>>> {
        let mut found = Vec::new();
        for i in 0..self.tokens.len() {
            let Token::Name(name) = self.tokens[i] else { continue };
            if self.is_field(i) {
                continue;
            }
            match name {
                b"_G" | b"load" | b"loadstring" | b"getfenv" | b"setfenv" => return None,
                b"KEYS" if !self.only_read(i) => return None,
                b"redis" | b"server" => {
                    let Some(Token::Name(field)) = self.tokens.get(i + 2) else { return None };
                    if !is_symbol(self.tokens.get(i + 1), b".") {
                        return None;
                    }
                    if matches!(*field, b"call" | b"pcall") {
                        let open = i + 3;
                        if !is_symbol(self.tokens.get(open), b"(") {
                            return None;
                        }
                        found.push(self.arguments(open));
                    }
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// True if the use of KEYS at `i` cannot change it.
    fn only_read(&self, i: usize) -> bool {
        if is_symbol(self.before(i), b"#") && !is_symbol(self.tokens.get(i + 1), b"[") {
            return true;
        }
        let called = |name: &[u8]| {
            is_symbol(self.before(i), b"(")
                && is_symbol(self.tokens.get(i + 1), b")")
                && i >= 2
                && is_name(self.tokens.get(i - 2), name)
        };
        if called(b"ipairs") {
            return i >= 3 && is_name(self.tokens.get(i - 3), b"in");
        }
        if called(b"unpack") {
            return true;
        }
        if !is_symbol(self.tokens.get(i + 1), b"[") {
            return false;
        }
        let next = self.tokens.get(self.partner[&(i + 1)] + 1);
        if is_symbol(next, b"=") {
            return false;
        }
        // `KEYS[1], x = ...` is an assignment; among arguments or values a comma is none.
        !is_symbol(next, b",") || self.bracketed[i] || self.is_value(i)
    }

    /// True if the expression at `i` stands behind `=` or `return` in its statement.
    fn is_value(&self, i: usize) -> bool {
        let mut at = i;
        while at > 0 {
            at -= 1;
            match self.tokens[at] {
                Token::Symbol(b"=") | Token::Name(b"return") => return true,
                Token::Symbol(b"]" | b")" | b"}") => at = self.partner[&at],
                Token::Symbol(b"," | b".") => {}
                Token::Name(b"KEYS" | b"ARGV") | Token::Text(_) | Token::Number(_) => {}
                _ => return false,
            }
        }
        false
    }

    fn arguments(&self, open: usize) -> Vec<Arg> {
        let close = self.partner[&open];
        let mut args = Vec::new();
        let mut begin = open + 1;
        let mut i = begin;
        while i <= close {
            match self.tokens[i] {
                Token::Symbol(b",") | Token::Symbol(b")") if i == close || is_symbol(self.tokens.get(i), b",") => {
                    if i > begin {
                        args.push(self.argument(begin, i, i == close));
                    }
                    begin = i + 1;
                    i += 1;
                }
                Token::Symbol(b"(" | b"[" | b"{") => i = self.partner[&i] + 1,
                Token::Name(b"function") => return vec![Arg::Open],
                _ => i += 1,
            }
        }
        args
    }

    fn argument(&self, begin: usize, end: usize, last: bool) -> Arg {
        if self.key_at(begin) == Some(end) {
            return Arg::Key;
        }
        if end == begin + 1 {
            return match self.tokens[begin] {
                Token::Text(text) => Arg::Literal(text.to_vec()),
                Token::Number(text) => Arg::Literal(text.to_vec()),
                Token::Name(name) if self.key_names.contains(&name) => Arg::Key,
                Token::Symbol(b"...") => Arg::Open,
                _ => Arg::Unknown,
            };
        }
        if last && is_symbol(self.tokens.get(end - 1), b")") { Arg::Open } else { Arg::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(code: &str) -> String {
        let Some(calls) = calls(code.as_bytes()) else { return "?".to_owned() };
        let arg = |arg: &Arg| match arg {
            Arg::Key => "KEY".to_owned(),
            Arg::Literal(text) => String::from_utf8_lossy(text).into_owned(),
            Arg::Unknown => "_".to_owned(),
            Arg::Open => "...".to_owned(),
        };
        let call = |call: &Vec<Arg>| call.iter().map(arg).collect::<Vec<_>>().join(" ");
        calls.iter().map(call).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn plain_calls_are_told() {
        assert_eq!(show("return redis.call('GET', KEYS[1])"), "GET KEY");
        assert_eq!(show("if redis.call(\"get\",KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"), "get KEY; del KEY");
        assert_eq!(show("local k, n = KEYS[1], KEYS[2] redis.call('set', k, n) return server.pcall('incrby', n, 5)"), "set KEY KEY; incrby KEY 5");
        assert_eq!(show("for i, k in ipairs(KEYS) do redis.call('del', k) end return #KEYS"), "del KEY");
        assert_eq!(show("return redis.call('set', KEYS[1], tostring(1))"), "set KEY ...");
        assert_eq!(show("-- redis.call('x', y)\nreturn 1"), "");
        assert_eq!(show("return {redis.call('get', KEYS[1] .. 'x')}"), "get _");
        assert_eq!(show("return redis.call('del', unpack(KEYS))"), "del ...");
    }

    #[test]
    fn what_it_does_not_understand_it_leaves() {
        for code in [
            "local call = redis.call call('get', 'x')",
            "return redis['call']('get', 'x')",
            "KEYS[1] = 'x' return redis.call('get', KEYS[1])",
            "KEYS[1], y = 'x', 'y' return redis.call('get', KEYS[1])",
            "local k = KEYS k[1] = 'x'",
            "return loadstring('x')()",
            "f(KEYS)",
            "pcall(redis.call, 'get', 'x')",
            "table.insert(KEYS, 'x')",
            "return redis.call 'x'",
            "for k, v in pairs(_G) do end",
            "(",
        ] {
            assert_eq!(show(code), "?", "{code}");
        }
    }

    #[test]
    fn a_name_bound_twice_is_no_key() {
        assert_eq!(show("local k = KEYS[1] k = 'x' redis.call('get', k)"), "get _");
        assert_eq!(show("local k = KEYS[1] local function f(k) redis.call('get', k) end"), "get _");
        assert_eq!(show("local k = KEYS[1] for k = 1, 2 do redis.call('get', k) end"), "get _");
        assert_eq!(show("local k = KEYS[1] .. 'x' redis.call('get', k)"), "get _");
        assert_eq!(show("local k = KEYS[1] or 'x' redis.call('get', k)"), "get _");
        assert_eq!(show("local a, k = KEYS[1] redis.call('get', k)"), "get _");
        assert_eq!(show("local k = KEYS[1] k, x = 1, 2 redis.call('get', k)"), "get _");
    }
}

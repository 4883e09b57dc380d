//! Replies as values, for tests that look inside.

use std::collections::BTreeMap;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Nothing,
    Text(String),
    Number(i64),
    Error(String),
    List(Vec<Value>),
    /// Elements in order.
    Set(Vec<Value>),
    Map(BTreeMap<Value, Value>),
}

impl Value {
    /// Reads a whole reply.
    pub fn parse(reply: &str) -> Value {
        let (value, rest) = Value::parse_some(reply);
        assert_eq!(rest, "", "one reply");
        value
    }

    fn parse_some(text: &str) -> (Value, &str) {
        let (head, mut rest) = text.split_once("\r\n").expect("a line");
        let (kind, head) = head.split_at(1);
        let count = || head.parse::<i64>().expect("a number");
        let mut elements = |n: i64| {
            (0..n).map(|_| {
                let (value, after) = Value::parse_some(rest);
                rest = after;
                value
            })
            .collect::<Vec<_>>()
        };
        let value = match kind {
            "+" => Value::Text(head.to_owned()),
            "-" => Value::Error(head.to_owned()),
            ":" => Value::Number(count()),
            "_" => Value::Nothing,
            "$" | "*" if count() < 0 => Value::Nothing,
            "*" => Value::List(elements(count())),
            "~" => {
                let mut elements = elements(count());
                elements.sort();
                Value::Set(elements)
            }
            "%" => {
                let mut pairs = elements(2 * count()).into_iter();
                let mut map = BTreeMap::new();
                while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
                    assert!(map.insert(key, value).is_none(), "a key stands in a map once");
                }
                Value::Map(map)
            }
            "$" | "=" => {
                let len = count() as usize;
                let body = &rest[..len];
                rest = &rest[len + 2..];
                Value::Text(body.to_owned())
            }
            other => panic!("no reply begins with {other:?}"),
        };
        (value, rest)
    }

    /// The elements of an array or a set.
    pub fn elements(&self) -> &[Value] {
        match self {
            Value::List(elements) | Value::Set(elements) => elements,
            other => panic!("no array: {other:?}"),
        }
    }

    /// A field of a map.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.get(&Value::Text(name.to_owned())),
            other => panic!("no map: {other:?}"),
        }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }
}

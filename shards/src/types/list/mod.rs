//! Lists: one listpack while small, a quicklist of nodes beyond.
//!
//! `shape` says how large a node may be (`list-max-listpack-size`, `list-compress-depth`), `node` is one node, `quick`
//! the row of nodes, `edit` its edits in the middle, `lists` the type that switches between the two encodings.

mod edit;
mod lists;
mod node;
mod quick;
mod shape;
#[cfg(test)]
mod tests;

pub use lists::{End, List};
pub use shape::Shape;

//! The commands of the engine: one folder a family, one file a handful of commands with their rows, code and tests.

pub mod bitmap;
pub mod container;
pub mod database;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod scanning;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod timeout;

use crate::command::Command;

/// The rows of every family.
pub const FAMILIES: &[&[Command]] =
    &[
        bitmap::ROWS,
        database::ROWS,
        generic::ROWS,
        geo::ROWS,
        hash::ROWS,
        hyperloglog::ROWS,
        list::ROWS,
        set::ROWS,
        sorted_set::ROWS,
        stream::ROWS,
        string::ROWS,
    ];

//! Starts the server; all of it is in the library ([`ringkey::start`]).

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: ringkey::alloc::Counted = ringkey::alloc::Counted;

fn main() -> ExitCode {
    ringkey::start::main()
}

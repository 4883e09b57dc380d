//! Starts the server; all of it is in the library ([`ringkey::start`]).

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ringkey::start::main()
}

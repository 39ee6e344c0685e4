//! Parse, run, exit code: 0 done, 1 the run failed, 2 the request was wrong, and 128 + the signal that interrupted: 130, 143 or 129.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use blocksmith::cli::{self, output};
use blocksmith::error::Error;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| output::complain(&info.to_string())));
    let done = match cli::parse() {
        Ok(cli) => cli::execute(cli),
        Err(code) => return ExitCode::from(code),
    };
    let Err(e) = done else { return ExitCode::SUCCESS };
    match &e {
        Error::Interrupted(_) => output::complain(&e.to_string()),
        e => output::complain(&format!("error: {e}")),
    }
    ExitCode::from(e.exit_code())
}

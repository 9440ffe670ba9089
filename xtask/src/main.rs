//! `cargo run -p xtask -- gen` writes what derives from the registry; `gen --check` fails where a file is out of date.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod stubs;
mod table;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let check = match args.as_slice() {
        ["gen"] => false,
        ["gen", "--check"] => true,
        _ => {
            eprintln!("usage: cargo run -p xtask -- gen [--check]");
            return ExitCode::from(2);
        }
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = [("python/flambeau/_C.pyi", stubs::generate()), ("docs/ops.md", table::generate())];
    let mut stale = false;
    for (name, text) in files {
        let text = match text {
            Ok(text) => text,
            Err(e) => {
                eprintln!("{name}: {e}");
                return ExitCode::FAILURE;
            }
        };
        let path = root.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if check {
            eprintln!("{name} is out of date: run `cargo run --release -p xtask -- gen`");
            stale = true;
        } else if let Err(e) = std::fs::write(&path, text) {
            eprintln!("{name}: {e}");
            return ExitCode::FAILURE;
        } else {
            println!("wrote {name}");
        }
    }
    if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

//! Runs a fuzz target on mutated inputs for some seconds, on stable Rust:
//! `cargo run --release -p flambeau-fuzz -- <target> <seconds> [seed]`.

// A program for terminals.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use flambeau_fuzz::budget::Counting;
use flambeau_fuzz::mutate::{Rng, next};
use flambeau_fuzz::{TARGETS, Target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Where the last panic happened.
static WHERE: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let target = args.first().and_then(|name| TARGETS.iter().find(|t| t.name == name));
    let (Some(target), Some(what)) = (target, args.get(1)) else {
        let names: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
        eprintln!(
            "usage: flambeau-fuzz <{}> <seconds> [seed]\n       flambeau-fuzz <target> replay <file>",
            names.join("|")
        );
        return ExitCode::FAILURE;
    };
    std::panic::set_hook(Box::new(|info| {
        *WHERE.lock().unwrap() = info.to_string().replace('\n', " ");
    }));
    if what == "replay" {
        if let Some(Ok(data)) = args.get(2).map(std::fs::read) {
            println!("{}", row(target, &data));
        }
        return match args.get(2).map(std::fs::read) {
            Some(Ok(data)) => match once(target, &data) {
                None => {
                    println!("no failure");
                    ExitCode::SUCCESS
                }
                Some(failure) => {
                    println!("{failure}");
                    ExitCode::FAILURE
                }
            },
            _ => ExitCode::FAILURE,
        };
    }
    let (Ok(seconds), Ok(seed)) = (what.parse(), args.get(2).map_or(Ok(1), |s| s.parse())) else {
        eprintln!("seconds and seed are numbers");
        return ExitCode::FAILURE;
    };
    fuzz(target, Duration::from_secs(seconds), seed)
}

/// Runs one input: how it failed, if it did.
fn once(target: &Target, data: &[u8]) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| (target.run)(data))) {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(format!("{} {}", row(target, data), WHERE.lock().unwrap())),
    }
}

/// Which operation an input runs.
#[cfg(feature = "ops")]
fn row(target: &Target, data: &[u8]) -> &'static str {
    flambeau_fuzz::ops::row_of(target.name, data)
}

#[cfg(not(feature = "ops"))]
fn row(_: &Target, _: &[u8]) -> &'static str {
    ""
}

fn fuzz(target: &'static Target, time: Duration, seed: u64) -> ExitCode {
    let seeds = (target.seeds)();
    // Inputs that are in the middle of a run when the process dies are found in this file.
    let last = format!("fuzz-{}.last", target.name);
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut failures: BTreeMap<String, (usize, Vec<u8>)> = BTreeMap::new();
    let (start, mut executions) = (Instant::now(), 0u64);
    let keep_last = std::env::var_os("FUZZ_KEEP_LAST").is_some();
    watch(target);
    let _ = flambeau_fuzz::budget::BEFORE_REFUSAL.set(|| {
        if let Ok(guard) = RUNNING.try_lock()
            && let Some((_, data)) = &*guard
        {
            let _ = std::fs::write("fuzz-refused.last", data);
        }
    });
    for data in &seeds {
        report(target, data, &mut failures);
    }
    while start.elapsed() < time {
        let data = next(&mut rng, &seeds);
        if keep_last {
            let _ = std::fs::write(&last, &data);
        }
        report(target, &data, &mut failures);
        executions += 1;
    }
    println!(
        "{}: {executions} executions in {:.0} s with seed {seed}, {} kinds of failure",
        target.name,
        start.elapsed().as_secs_f64(),
        failures.len()
    );
    for (i, (failure, (count, data))) in failures.iter().enumerate() {
        let file = format!("fuzz-{}-{i}.bin", target.name);
        let _ = std::fs::write(&file, data);
        println!("{count} x {failure} ({file})");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The input that runs, since when.
static RUNNING: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::new(None);
/// How long one input may run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the process when an input does not come to an end.
fn watch(target: &'static Target) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(5));
            let guard = RUNNING.lock().unwrap();
            if let Some((since, data)) = &*guard
                && since.elapsed() > PATIENCE
            {
                let _ = std::fs::write(format!("fuzz-{}.hang", target.name), data);
                eprintln!("{} {} does not end (fuzz-{}.hang)", target.name, row(target, data), target.name);
                std::process::abort();
            }
        }
    });
}

fn report(target: &Target, data: &[u8], failures: &mut BTreeMap<String, (usize, Vec<u8>)>) {
    *RUNNING.lock().unwrap() = Some((Instant::now(), data.to_vec()));
    let failure = once(target, data);
    *RUNNING.lock().unwrap() = None;
    if let Some(failure) = failure {
        // Numbers differ between inputs with the same fault.
        let kind: String = failure.chars().filter(|c| !c.is_ascii_digit()).take(300).collect();
        let entry = failures.entry(kind).or_insert_with(|| (0, data.to_vec()));
        entry.0 += 1;
        if data.len() < entry.1.len() {
            entry.1 = data.to_vec();
        }
    }
}

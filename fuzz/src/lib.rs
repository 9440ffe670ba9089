//! Fuzz targets: functions of bytes that return how they failed. `main` drives them with mutated inputs on stable Rust,
//! `libfuzzer/` under cargo-fuzz.

pub mod budget;
pub mod files;
#[cfg(feature = "ops")]
pub mod input;
pub mod mutate;
#[cfg(feature = "ops")]
pub mod ops;
pub mod schema;

/// What a target found wrong, beyond what panics.
pub type Outcome = Result<(), String>;

/// A target: its name, what runs it, and inputs to begin with.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]) -> Outcome,
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    #[cfg(feature = "ops")]
    Target { name: "views", run: ops::views, seeds: Vec::new },
    #[cfg(feature = "ops")]
    Target { name: "indexing", run: ops::indexing, seeds: Vec::new },
    #[cfg(feature = "ops")]
    Target { name: "rows", run: ops::rows, seeds: Vec::new },
    Target { name: "pth", run: files::pth, seeds: files::pth_seeds },
    Target { name: "safetensors", run: files::safetensors, seeds: files::safetensors_seeds },
    Target { name: "npy", run: files::npy, seeds: files::npy_seeds },
    Target { name: "schema", run: schema::schema, seeds: schema::seeds },
];

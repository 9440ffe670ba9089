//! The table of operations in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write;

use flambeau_core::Result;
use flambeau_core::op::{Diff, Kind, OpDef, surface};
use flambeau_core::schema::Schema;

fn kind(op: &OpDef) -> &'static str {
    match op.kind {
        Kind::View(_) => "view",
        Kind::Kernel { .. } if op.decompose.is_some() => "fused",
        Kind::Kernel { .. } => "kernel",
        Kind::Composite(_) => "composite",
    }
}

fn gradient(op: &OpDef) -> &'static str {
    match (op.diff, &op.kind) {
        (_, Kind::View(_)) => "any order",
        (Diff::Never, _) => "none",
        (Diff::Through, _) => "through its parts",
        (Diff::Vjp(_) | Diff::Decompose, _) => "any order",
    }
}

pub fn generate() -> Result<String> {
    let mut rows: BTreeMap<String, Vec<&OpDef>> = BTreeMap::new();
    let mut internal = 0;
    for &op in flambeau_ops::registry() {
        if op.surfaces & surface::INTERNAL != 0 {
            internal += 1;
        } else {
            rows.entry(Schema::parse(op.sig)?.name).or_default().push(op);
        }
    }
    let mut out = String::from(
        "<!-- Written by `cargo run -p xtask -- gen` from the registry; do not edit. -->\n# Operations\n\n",
    );
    let total: usize = rows.values().map(Vec::len).sum();
    let _ = writeln!(out, "{} public names in {total} rows, and {internal} internal rows.\n", rows.len());
    out.push_str("| name | kind | gradient | |\n| --- | --- | --- | --- |\n");
    for (name, ops) in rows {
        for op in ops {
            let _ = writeln!(out, "| `{name}` | {} | {} | {} |", kind(op), gradient(op), op.doc.replace('|', "\\|"));
        }
    }
    Ok(out)
}

//! Which operation failed on which shapes, added to errors about shapes as a second line.
//!
//! PyTorch's own text stays whole before it: people search for that.

use crate::error::{Error, ErrorKind};
use crate::layout;
use crate::op::{Inputs, OpDef};
use crate::schema::Schema;

/// What the second line starts with.
const MARK: &str = "\n  in ";
/// Shapes that are written out; the rest is counted.
const SHOWN: usize = 4;

/// An error of `op` on these inputs. The outermost operation is the one that the user called: it replaces what an inner
/// one said.
#[cold]
#[inline(never)]
pub fn explain(op: &OpDef, x: Inputs, e: Error) -> Error {
    explain_as(op, x, e, "")
}

/// [`explain`] for `op_`.
#[cold]
#[inline(never)]
pub fn explain_inplace(op: &OpDef, x: Inputs, e: Error) -> Error {
    explain_as(op, x, e, "_")
}

fn explain_as(op: &OpDef, x: Inputs, e: Error, end: &str) -> Error {
    let text = e.message().split(MARK).next().unwrap_or_default();
    if !about_shapes(e.kind(), text) {
        return e;
    }
    let shapes: Vec<String> = x.iter().flatten().filter(|t| !t.is_wrapped()).map(|t| layout::fmt(t.sizes())).collect();
    if shapes.is_empty() {
        return e;
    }
    // Rows that only Python wrappers call have longer names than what was called.
    let name = Schema::name_of(op.sig);
    let name = ["_kernel", "_dims", "_p"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let more = shapes.len().saturating_sub(SHOWN);
    let mut list = shapes[..shapes.len().min(SHOWN)].join(", ");
    if more > 0 {
        list += &format!(" and {more} more");
    }
    let what = if shapes.len() == 1 { "shape" } else { "shapes" };
    Error::new(e.kind(), format!("{text}{MARK}{name}{end}(): {what} {list}"))
}

/// Dtype and device errors need no shapes; a foreign error is somebody else's.
fn about_shapes(kind: ErrorKind, text: &str) -> bool {
    matches!(kind, ErrorKind::Runtime | ErrorKind::Index | ErrorKind::Value)
        && [
            "size",
            "shape",
            "Shape",
            "dimension",
            "Dimension",
            "dims",
            "ize of",
            "elements",
            "-D",
            "1D",
            "2D",
            "3D",
            "4D",
            "matrix",
        ]
        .iter()
        .any(|w| text.contains(w))
        && !text.starts_with("index ")
        && !text.contains("internal error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Diff, Kind, Outs, Saves, surface};
    use crate::{DType, Device, Tensor};

    static OP: OpDef = OpDef {
        name: "f",
        sig: "public(Tensor input) -> Tensor",
        doc: "",
        aliases: &[],
        surfaces: surface::FUNCTION,
        kind: Kind::Composite(|_, _| Ok(Outs::new())),
        quick: None,
        node: "",
        hidden: 0,
        shown: None,
        label: None,
        node_inplace: "",
        diff: Diff::Through,
        saves: Saves { inputs: 0, outputs: 0, cross: false },
        diff_outputs: 0,
        decompose: None,
        samples: None,
    };

    #[test]
    fn the_outermost_operation_is_named() {
        let x = Tensor::empty(&[2, 3], DType::F32, Device::META).unwrap();
        let inner = explain(&OP, &[Some(&x), Some(&x)], Error::runtime("sizes differ"));
        assert_eq!(inner.message(), "sizes differ\n  in public(): shapes [2, 3], [2, 3]");
        assert_eq!(explain(&OP, &[Some(&x)], inner).message(), "sizes differ\n  in public(): shape [2, 3]");
        let many = [Some(&x); 6];
        assert!(explain(&OP, &many, Error::index("Dimension")).message().ends_with("[2, 3] and 2 more"));
    }

    #[test]
    fn other_errors_stay() {
        let x = Tensor::empty(&[2], DType::F32, Device::META).unwrap();
        assert_eq!(explain(&OP, &[Some(&x)], Error::runtime("no backend")).message(), "no backend");
        assert_eq!(explain(&OP, &[Some(&x)], Error::type_error("size")).message(), "size");
        assert_eq!(explain(&OP, &[], Error::runtime("size")).message(), "size");
    }
}

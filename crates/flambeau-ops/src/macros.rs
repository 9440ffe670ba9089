//! The small macros that rows are written with. Each expands to plain statics and functions.

/// `rows! { ROWS: name = OpDef {...}; ... }` puts each row into a module of its name as `OP` and lists them all.
macro_rules! rows {
    ($list:ident: $($name:ident = $def:expr;)*) => {
        $(
            #[doc = concat!("The row `", stringify!($name), "`.")]
            pub mod $name {
                #[allow(unused_imports)]
                use super::*;
                pub static OP: flambeau_core::op::OpDef = flambeau_core::op::OpDef {
                    name: stringify!($name),
                    node: $crate::nodes::name_of(stringify!($name)),
                    hidden: $crate::nodes::hidden_of(stringify!($name)),
                    shown: $crate::nodes::shown_of(stringify!($name)),
                    label: $crate::nodes::label_of(stringify!($name)),
                    node_inplace: $crate::nodes::inplace_of(stringify!($name)),
                    ..$def
                };
            }
        )*
        pub static $list: &[&flambeau_core::op::OpDef] = &[$(&$name::OP),*];
    };
}

/// `grads!(c; 0 => a, 1 => b)`: gradients of the inputs that want one; each expression is a `Result<Tensor>`.
macro_rules! grads {
    ($c:ident; $($i:expr => $e:expr),* $(,)?) => {{
        let mut out = $c.no_grads();
        $(if $c.need($i) { out[$i] = Some($e?); })*
        Ok(out)
    }};
}

/// One-input elementwise rows with their Rust functions and methods.
macro_rules! unary {
    ($list:ident, $trait:ident: $($name:ident: $rule:ident => $kernel:ident, $saves:ident, $diff:expr, $range:expr, $on:expr, $alias:expr, $doc:literal;)*) => {
        $(
            pub mod $name {
                #[allow(unused_imports)]
                use super::*;
                pub static OP: OpDef = OpDef {
                    name: stringify!($name),
                    node: $crate::nodes::name_of(stringify!($name)),
                    hidden: $crate::nodes::hidden_of(stringify!($name)),
                    shown: $crate::nodes::shown_of(stringify!($name)),
                    label: $crate::nodes::label_of(stringify!($name)),
                    node_inplace: $crate::nodes::inplace_of(stringify!($name)),
                    sig: concat!(stringify!($name), "(Tensor input, *, Tensor? out=None) -> Tensor"),
                    doc: $doc,
                    aliases: &$alias,
                    surfaces: $on,
                    kind: Kind::Kernel { infer: infer::$rule, run: |b, x, o, _| run(b, UnaryOp::$kernel, x, o, &[]) },
                    diff: $diff,
                    saves: $saves,
                    samples: Some(|s| samples(s, $range)),
                    ..BASE
                };
            }
            #[doc = $doc]
            pub fn $name(x: &Tensor) -> Result<Tensor> {
                call1(&$name::OP, &[Some(x)], Params::new())
            }
        )*
        pub static $list: &[&OpDef] = &[$(&$name::OP),*];
        /// Methods of the rows in this file.
        pub trait $trait {
            $(#[doc = $doc] fn $name(&self) -> Result<Tensor>;)*
        }
        impl $trait for Tensor {
            $(fn $name(&self) -> Result<Tensor> { $name(self) })*
        }
    };
}

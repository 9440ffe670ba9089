//! From a list of items to a batch.

use flambeau_core::{Element, Result, Tensor, check};

/// Items that have a natural batch: tensors are stacked, numbers become a tensor, tuples and vectors are taken apart.
pub trait Stack: Sized {
    type Batch: Send + 'static;

    /// # Errors
    /// `Runtime` for items of different shapes, lengths or none at all.
    fn stack(items: Vec<Self>) -> Result<Self::Batch>;
}

impl Stack for Tensor {
    type Batch = Tensor;

    fn stack(items: Vec<Tensor>) -> Result<Tensor> {
        flambeau_ops::shape::stack(&items.iter().collect::<Vec<_>>(), 0)
    }
}

impl<T: Stack> Stack for Vec<T> {
    type Batch = Vec<T::Batch>;

    fn stack(items: Vec<Vec<T>>) -> Result<Vec<T::Batch>> {
        let n = items.first().map_or(0, Vec::len);
        check!(items.iter().all(|i| i.len() == n), Runtime, "each element in list of batch should be of equal size");
        let mut columns: Vec<Vec<T>> = (0..n).map(|_| Vec::with_capacity(items.len())).collect();
        for item in items {
            for (column, value) in columns.iter_mut().zip(item) {
                column.push(value);
            }
        }
        columns.into_iter().map(T::stack).collect()
    }
}

impl Stack for String {
    type Batch = Vec<String>;

    fn stack(items: Vec<String>) -> Result<Vec<String>> {
        Ok(items)
    }
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl Stack for $t {
            type Batch = Tensor;

            fn stack(items: Vec<$t>) -> Result<Tensor> {
                numbers(items)
            }
        }
    )*};
}
numbers!(u8 i8 i16 i32 i64 f32 f64 bool);

fn numbers<T: Element>(items: Vec<T>) -> Result<Tensor> {
    Tensor::from_slice(&items, &[items.len() as i64])
}

macro_rules! tuples {
    ($($T:ident $column:ident),+) => {
        impl<$($T: Stack),+> Stack for ($($T,)+) {
            type Batch = ($($T::Batch,)+);

            fn stack(items: Vec<Self>) -> Result<Self::Batch> {
                $(let mut $column = Vec::with_capacity(items.len());)+
                for item in items {
                    #[allow(non_snake_case)]
                    let ($($T,)+) = item;
                    $($column.push($T);)+
                }
                Ok(($($T::stack($column)?,)+))
            }
        }
    };
}
tuples!(A a);
tuples!(A a, B b);
tuples!(A a, B b, C c);
tuples!(A a, B b, C c, D d);

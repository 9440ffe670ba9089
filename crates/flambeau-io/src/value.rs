//! Plain data as files hold it.

use crate::error::{Error, Result};
use flambeau_core::DType;
use std::sync::Arc;

/// A Python value as a checkpoint can hold it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits: little-endian two's complement.
    BigInt(Vec<u8>),
    Float(f64),
    Complex(f64, f64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    Dict(Dict),
    /// One tensor object; the same object referred to twice is the same `Arc`.
    Tensor(Arc<RawTensor>),
    DType(DType),
    /// `torch.Size`
    Size(Vec<i64>),
    /// `torch.device`, as its string.
    Device(String),
}

/// Which Python class a mapping has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DictKind {
    #[default]
    Plain,
    /// `collections.OrderedDict`, what `Module.state_dict()` returns.
    Ordered,
    /// `collections.Counter`
    Counter,
}

/// A mapping in insertion order.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Dict {
    pub kind: DictKind,
    pub entries: Vec<(Value, Value)>,
    /// Attributes of the object itself: a state dict keeps its modules' versions in `_metadata`.
    pub attributes: Vec<(Value, Value)>,
}

impl Dict {
    /// An ordered dict, as state dicts are.
    pub fn ordered() -> Self {
        Dict { kind: DictKind::Ordered, ..Dict::default() }
    }

    /// The value of a string key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find_map(|(k, v)| matches!(k, Value::Str(s) if s == key).then_some(v))
    }

    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.entries.push((Value::Str(key.into()), value.into()));
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

macro_rules! from {
    ($($t:ty => $v:ident),*) => {$( impl From<$t> for Value { fn from(x: $t) -> Self { Value::$v(x.into()) } } )*};
}
from!(bool => Bool, i64 => Int, f64 => Float, &str => Str, String => Str, Vec<u8> => Bytes, Vec<Value> => List,
    Dict => Dict, RawTensor => Tensor, Arc<RawTensor> => Tensor, DType => DType);

/// Memory that tensors view: one per storage in the file, shared by its views.
#[derive(Clone, Debug, PartialEq)]
pub struct RawStorage {
    /// Little-endian elements.
    pub bytes: Vec<u8>,
    /// Where it was saved from: `cpu`, `cuda:0`, ...
    pub location: String,
}

impl RawStorage {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(RawStorage { bytes, location: "cpu".into() })
    }
}

/// A strided view of a storage. Always inside it: [`RawTensor::new`] checks.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTensor {
    storage: Arc<RawStorage>,
    dtype: DType,
    /// In elements.
    offset: usize,
    sizes: Vec<i64>,
    strides: Vec<i64>,
    pub requires_grad: bool,
    /// Saved as `torch.nn.Parameter`.
    pub is_parameter: bool,
    /// The lazy conjugation and negation bits of a view.
    pub conj: bool,
    pub neg: bool,
}

impl RawTensor {
    /// A view of `storage`; sizes, strides and offset in elements.
    ///
    /// # Errors
    /// `Format` if the view reaches outside the storage or a number is negative.
    pub fn new(
        storage: Arc<RawStorage>,
        dtype: DType,
        offset: i64,
        sizes: Vec<i64>,
        strides: Vec<i64>,
    ) -> Result<RawTensor> {
        let len = (storage.bytes.len() / dtype.size()) as i64;
        let reach = reach(offset, &sizes, &strides).ok_or_else(|| {
            Error::format(format!("invalid tensor: size {sizes:?}, stride {strides:?}, offset {offset}"))
        })?;
        if reach > len {
            return Err(Error::format(format!(
                "setStorage: sizes {sizes:?}, strides {strides:?}, storage offset {offset}, and itemsize {} requiring a storage \
                 size of {} are out of bounds for storage of size {}",
                dtype.size(),
                reach.saturating_mul(dtype.size() as i64),
                storage.bytes.len()
            )));
        }
        Ok(RawTensor {
            storage,
            dtype,
            offset: offset as usize,
            sizes,
            strides,
            requires_grad: false,
            is_parameter: false,
            conj: false,
            neg: false,
        })
    }

    /// A row-major tensor that owns exactly its elements, given as little-endian bytes.
    pub fn contiguous(dtype: DType, sizes: Vec<i64>, bytes: Vec<u8>) -> Result<RawTensor> {
        let strides = row_major(&sizes);
        let n = sizes.iter().try_fold(1i64, |n, &s| n.checked_mul(s));
        if n.and_then(|n| n.checked_mul(dtype.size() as i64)) != Some(bytes.len() as i64) {
            return Err(Error::format(format!("{} bytes do not make a {dtype} tensor of size {sizes:?}", bytes.len())));
        }
        RawTensor::new(RawStorage::new(bytes), dtype, 0, sizes, strides)
    }

    pub fn storage(&self) -> &Arc<RawStorage> {
        &self.storage
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// In elements of [`dtype`](Self::dtype).
    pub fn offset(&self) -> usize {
        self.offset
    }

    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    pub fn strides(&self) -> &[i64] {
        &self.strides
    }

    pub fn numel(&self) -> usize {
        self.sizes.iter().product::<i64>() as usize
    }

    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.sizes.contains(&0)
            || self.sizes.iter().zip(&self.strides).rev().all(|(&n, &s)| {
                let fits = n == 1 || s == expected;
                expected *= n;
                fits
            })
    }

    /// The elements in row-major order; borrowed if they lie so already.
    pub fn to_bytes(&self) -> std::borrow::Cow<'_, [u8]> {
        let item = self.dtype.size();
        if self.is_contiguous() {
            let start = if self.numel() == 0 { 0 } else { self.offset * item };
            return self.storage.bytes[start..start + self.numel() * item].into();
        }
        let mut out = Vec::with_capacity(self.numel() * item);
        let mut at = vec![0i64; self.sizes.len()];
        let mut place = self.offset as i64;
        'elements: loop {
            let start = place as usize * item;
            out.extend_from_slice(&self.storage.bytes[start..start + item]);
            for d in (0..at.len()).rev() {
                at[d] += 1;
                place += self.strides[d];
                if at[d] < self.sizes[d] {
                    continue 'elements;
                }
                place -= self.strides[d] * self.sizes[d];
                at[d] = 0;
            }
            return out.into();
        }
    }
}

/// Strides of a row-major tensor; a size of 0 counts as 1.
pub(crate) fn row_major(sizes: &[i64]) -> Vec<i64> {
    let mut strides = vec![1i64; sizes.len()];
    for d in (1..sizes.len()).rev() {
        strides[d - 1] = strides[d].saturating_mul(sizes[d].max(1));
    }
    strides
}

/// One past the last element that a view touches; `None` if a number is negative or too large, or ranks differ.
fn reach(offset: i64, sizes: &[i64], strides: &[i64]) -> Option<i64> {
    if sizes.len() != strides.len() || sizes.len() > 64 || offset < 0 || sizes.iter().chain(strides).any(|&n| n < 0) {
        return None;
    }
    // Without zeros first: an empty tensor's number of elements must not overflow either.
    sizes.iter().try_fold(1i64, |n, &s| n.checked_mul(s.max(1)))?;
    if sizes.contains(&0) {
        return Some(0);
    }
    let last = sizes.iter().zip(strides).try_fold(offset, |at, (&n, &s)| at.checked_add((n - 1).checked_mul(s)?))?;
    last.checked_add(1)
}

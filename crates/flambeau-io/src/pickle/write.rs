//! The pickler: protocol 2, the opcodes and the memo in the order in which PyTorch's own `torch.save` writes them.

use super::op;
use crate::error::{Error, Result};
use crate::value::{Dict, DictKind, RawStorage, RawTensor, Value};
use flambeau_core::DType;
use std::collections::HashMap;
use std::sync::Arc;

/// Deeper values are refused, as they could not be read again.
const DEPTH: usize = 200;
/// Items per `SETITEMS` or `APPENDS`, Python's number.
const BATCH: usize = 1000;

/// The pickle of `value` and the storages that it names: storage `i` has the key `i` in decimal.
pub(crate) fn pickle(value: &Value) -> Result<(Vec<u8>, Vec<Arc<RawStorage>>)> {
    let mut p = Pickler::default();
    p.out.extend([op::PROTO, 2]);
    p.value(value, 0)?;
    p.out.push(op::STOP);
    Ok((p.out, p.storages))
}

/// What can be named again by its place in the memo.
#[derive(PartialEq, Eq, Hash)]
enum Memo {
    Global(&'static str, String),
    Text(String),
    /// A storage's key. Written apart from equal strings of the user's, as PyTorch does.
    Key(usize),
    Tensor(usize),
}

#[derive(Default)]
struct Pickler {
    out: Vec<u8>,
    memo: HashMap<Memo, u32>,
    next: u32,
    storages: Vec<Arc<RawStorage>>,
    /// Storage address to its number and class.
    known: HashMap<usize, (usize, Option<DType>)>,
}

impl Pickler {
    /// Gives what was just written the next place in the memo.
    fn memoize(&mut self) -> u32 {
        let i = self.next;
        self.next += 1;
        match u8::try_from(i) {
            Ok(i) => self.out.extend([op::BINPUT, i]),
            Err(_) => {
                self.out.push(op::LONG_BINPUT);
                self.out.extend(i.to_le_bytes());
            }
        }
        i
    }

    /// Refers to something written before; false if it was not.
    fn recall(&mut self, what: &Memo) -> bool {
        let Some(&i) = self.memo.get(what) else { return false };
        match u8::try_from(i) {
            Ok(i) => self.out.extend([op::BINGET, i]),
            Err(_) => {
                self.out.push(op::LONG_BINGET);
                self.out.extend(i.to_le_bytes());
            }
        }
        true
    }

    fn global(&mut self, module: &'static str, name: &str) {
        let memo = Memo::Global(module, name.to_string());
        if !self.recall(&memo) {
            self.out.push(op::GLOBAL);
            self.out.extend(format!("{module}\n{name}\n").as_bytes());
            let i = self.memoize();
            self.memo.insert(memo, i);
        }
    }

    /// A string not seen before, or one that must be written again.
    fn fresh_text(&mut self, s: &str) -> Result<()> {
        let n = u32::try_from(s.len()).map_err(|_| Error::Unsupported("a string is longer than 4 GiB".into()))?;
        self.out.push(op::BINUNICODE);
        self.out.extend(n.to_le_bytes());
        self.out.extend(s.as_bytes());
        self.memoize();
        Ok(())
    }

    /// A string, once: Python interns what looks like a name, so its pickles repeat none of them either.
    fn text(&mut self, s: &str) -> Result<()> {
        let memo = Memo::Text(s.to_string());
        if !self.recall(&memo) {
            let i = self.next;
            self.fresh_text(s)?;
            self.memo.insert(memo, i);
        }
        Ok(())
    }

    fn int(&mut self, v: i64) {
        if let Ok(b) = u8::try_from(v) {
            self.out.extend([op::BININT1, b]);
        } else if let Ok(h) = u16::try_from(v) {
            self.out.push(op::BININT2);
            self.out.extend(h.to_le_bytes());
        } else if let Ok(w) = i32::try_from(v) {
            self.out.push(op::BININT);
            self.out.extend(w.to_le_bytes());
        } else {
            let bytes = v.to_le_bytes();
            let mut n = 8;
            while n > 1 && (bytes[n - 1] == 0 && bytes[n - 2] < 0x80 || bytes[n - 1] == 0xff && bytes[n - 2] >= 0x80) {
                n -= 1;
            }
            self.out.extend([op::LONG1, n as u8]);
            self.out.extend(&bytes[..n]);
        }
    }

    fn float(&mut self, v: f64) {
        self.out.push(op::BINFLOAT);
        self.out.extend(v.to_be_bytes());
    }

    fn bool(&mut self, v: bool) {
        self.out.push(if v { op::NEWTRUE } else { op::NEWFALSE });
    }

    /// Closes a tuple whose items were written by `items`, which come after a mark if there are more than three.
    fn tuple(&mut self, n: usize, items: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if n == 0 {
            self.out.push(op::EMPTY_TUPLE);
            return Ok(());
        }
        if n > 3 {
            self.out.push(op::MARK);
        }
        items(self)?;
        self.out.push([op::TUPLE, op::TUPLE1, op::TUPLE2, op::TUPLE3][if n > 3 { 0 } else { n }]);
        self.memoize();
        Ok(())
    }

    fn ints(&mut self, v: &[i64]) -> Result<()> {
        self.tuple(v.len(), |p| {
            v.iter().for_each(|&i| p.int(i));
            Ok(())
        })
    }

    /// Calls what is on the stack with the arguments on it.
    fn reduce(&mut self) {
        self.out.push(op::REDUCE);
        self.memoize();
    }

    fn empty_ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.out.extend([op::EMPTY_TUPLE, op::REDUCE]);
        self.memoize();
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(Error::Unsupported("the value is nested too deeply".into()));
        }
        let d = depth + 1;
        match value {
            Value::None => self.out.push(op::NONE),
            Value::Bool(b) => self.bool(*b),
            Value::Int(i) => self.int(*i),
            Value::BigInt(bytes) => {
                match u8::try_from(bytes.len()) {
                    Ok(n) => self.out.extend([op::LONG1, n]),
                    Err(_) => {
                        let n = u32::try_from(bytes.len())
                            .map_err(|_| Error::Unsupported("an integer is longer than 4 GiB".into()))?;
                        self.out.push(op::LONG4);
                        self.out.extend(n.to_le_bytes());
                    }
                }
                self.out.extend(bytes);
            }
            Value::Float(f) => self.float(*f),
            Value::Complex(re, im) => {
                self.global("__builtin__", "complex");
                self.tuple(2, |p| {
                    p.float(*re);
                    p.float(*im);
                    Ok(())
                })?;
                self.reduce();
            }
            Value::Str(s) => self.text(s)?,
            // Python writes empty bytes as a call of `bytes`, which `weights_only=True` does not allow; this it does.
            Value::Bytes(b) => {
                self.global("_codecs", "encode");
                let text: String = b.iter().map(|&b| b as char).collect();
                self.tuple(2, |p| {
                    p.fresh_text(&text)?;
                    p.text("latin1")
                })?;
                self.reduce();
            }
            Value::List(items) => self.list(items, d)?,
            Value::Tuple(items) => self.tuple(items.len(), |p| items.iter().try_for_each(|v| p.value(v, d)))?,
            Value::Set(items) => {
                self.global("__builtin__", "set");
                self.tuple(1, |p| p.list(items, d))?;
                self.reduce();
            }
            Value::Dict(dict) => self.dict(dict, d)?,
            Value::Tensor(t) => self.tensor(t)?,
            Value::DType(dtype) => self.global("torch", dtype.name()),
            Value::Size(sizes) => {
                self.global("torch", "Size");
                self.tuple(1, |p| p.ints(sizes))?;
                self.reduce();
            }
            Value::Device(device) => {
                self.global("torch", "device");
                let (kind, index) = match device.split_once(':') {
                    Some((kind, index)) => (
                        kind,
                        Some(index.parse().map_err(|_| Error::Unsupported(format!("invalid device: {device}")))?),
                    ),
                    None => (&device[..], None),
                };
                self.tuple(1 + index.is_some() as usize, |p| {
                    p.text(kind)?;
                    index.into_iter().for_each(|i| p.int(i));
                    Ok(())
                })?;
                self.reduce();
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value], depth: usize) -> Result<()> {
        self.out.push(op::EMPTY_LIST);
        self.memoize();
        for batch in items.chunks(BATCH) {
            if let [one] = batch {
                self.value(one, depth)?;
                self.out.push(op::APPEND);
                continue;
            }
            self.out.push(op::MARK);
            batch.iter().try_for_each(|v| self.value(v, depth))?;
            self.out.push(op::APPENDS);
        }
        Ok(())
    }

    fn dict(&mut self, dict: &Dict, depth: usize) -> Result<()> {
        match dict.kind {
            DictKind::Ordered => self.empty_ordered_dict(),
            DictKind::Plain => self.empty_dict(),
            DictKind::Counter => {
                self.global("collections", "Counter");
                self.tuple(1, |p| {
                    p.empty_dict();
                    p.entries(&dict.entries, depth)
                })?;
                self.reduce();
                return Ok(());
            }
        }
        self.entries(&dict.entries, depth)?;
        if !dict.attributes.is_empty() {
            if dict.kind != DictKind::Ordered {
                return Err(Error::Unsupported("only an OrderedDict can have attributes".into()));
            }
            self.empty_dict();
            self.entries(&dict.attributes, depth)?;
            self.out.push(op::BUILD);
        }
        Ok(())
    }

    fn empty_dict(&mut self) {
        self.out.push(op::EMPTY_DICT);
        self.memoize();
    }

    fn entries(&mut self, entries: &[(Value, Value)], depth: usize) -> Result<()> {
        for batch in entries.chunks(BATCH) {
            if let [(k, v)] = batch {
                self.value(k, depth)?;
                self.value(v, depth)?;
                self.out.push(op::SETITEM);
                continue;
            }
            self.out.push(op::MARK);
            for (k, v) in batch {
                self.value(k, depth)?;
                self.value(v, depth)?;
            }
            self.out.push(op::SETITEMS);
        }
        Ok(())
    }

    fn tensor(&mut self, t: &Arc<RawTensor>) -> Result<()> {
        let object = Memo::Tensor(Arc::as_ptr(t) as usize);
        if self.recall(&object) {
            return Ok(());
        }
        if t.is_parameter {
            self.global("torch._utils", "_rebuild_parameter");
            self.tuple(3, |p| {
                p.rebuild(t, false)?;
                p.bool(t.requires_grad);
                p.empty_ordered_dict();
                Ok(())
            })?;
            self.reduce();
        } else {
            self.rebuild(t, t.requires_grad)?;
        }
        self.memo.insert(object, self.next - 1);
        Ok(())
    }

    fn rebuild(&mut self, t: &RawTensor, requires_grad: bool) -> Result<()> {
        let typed = has_storage_class(t.dtype());
        self.global("torch._utils", if typed { "_rebuild_tensor_v2" } else { "_rebuild_tensor_v3" });
        let flags: Vec<&str> = [("conj", t.conj), ("neg", t.neg)].into_iter().filter(|f| f.1).map(|f| f.0).collect();
        // More than three in any case: written after a mark.
        self.tuple(6, |p| {
            p.storage(t, typed.then_some(t.dtype()))?;
            p.int(t.offset() as i64);
            p.ints(t.sizes())?;
            p.ints(t.strides())?;
            p.bool(requires_grad);
            p.empty_ordered_dict();
            if !typed {
                p.global("torch", t.dtype().name());
            }
            // Written as a dict of their own, apart from equal strings of the user's.
            if !flags.is_empty() {
                p.empty_dict();
                let several = flags.len() > 1;
                if several {
                    p.out.push(op::MARK);
                }
                for flag in &flags {
                    p.fresh_text(flag)?;
                    p.bool(true);
                }
                p.out.push(if several { op::SETITEMS } else { op::SETITEM });
            }
            Ok(())
        })?;
        self.reduce();
        Ok(())
    }

    /// `("storage", class, key, location, number of elements)`, then the opcode that loads it.
    fn storage(&mut self, t: &RawTensor, class: Option<DType>) -> Result<()> {
        let address = Arc::as_ptr(t.storage()) as usize;
        let (index, known) = *self.known.entry(address).or_insert_with(|| {
            self.storages.push(t.storage().clone());
            (self.storages.len() - 1, class)
        });
        if known != class {
            return Err(Error::Unsupported(
                "Cannot save multiple tensors or storages that view the same data as different types".into(),
            ));
        }
        self.tuple(5, |p| {
            p.text("storage")?;
            match class {
                Some(d) => p.global("torch", &format!("{}Storage", d.scalar_name())),
                None => p.global("torch.storage", "UntypedStorage"),
            }
            let key = Memo::Key(index);
            if !p.recall(&key) {
                let place = p.next;
                p.fresh_text(&index.to_string())?;
                p.memo.insert(key, place);
            }
            p.text(&t.storage().location)?;
            p.int((t.storage().bytes.len() / class.map_or(1, DType::size)) as i64);
            Ok(())
        })?;
        self.out.push(op::BINPERSID);
        Ok(())
    }
}

/// Dtypes of before typed storages went out of fashion; the others are saved as untyped bytes.
fn has_storage_class(d: DType) -> bool {
    use DType::*;
    matches!(d, U8 | I8 | I16 | I32 | I64 | F16 | F32 | F64 | C64 | C128 | Bool | BF16)
}

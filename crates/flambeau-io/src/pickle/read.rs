//! The unpickler: a stack machine over an arena of nodes, so that shared and later filled objects keep their identity.

use super::globals::{Global, find};
use super::{finish, op};
use crate::error::{Error, Result};
use crate::value::{DictKind, RawStorage, RawTensor, Value};
use flambeau_core::DType;
use std::collections::HashMap;
use std::sync::Arc;

/// Index into the arena.
pub(super) type Id = usize;

pub(super) enum Node {
    /// A value that cannot change any more.
    Leaf(Value),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict {
        kind: DictKind,
        entries: Vec<(Id, Id)>,
        attributes: Option<Id>,
    },
    Global(Global),
    Storage(Arc<RawStorage>, Option<DType>),
}

/// Where the bytes of storages come from.
pub(crate) trait Storages {
    /// The storage saved under `key`, `bytes` long.
    fn load(&mut self, key: &str, bytes: usize) -> Result<Vec<u8>>;
}

/// Reads one pickle from the front of `data`. Returns the value and how many bytes it took.
pub(crate) fn unpickle(data: &[u8], storages: &mut dyn Storages) -> Result<(Value, usize)> {
    let mut vm = Machine {
        data,
        at: 0,
        arena: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages,
        loaded: HashMap::new(),
    };
    let root = vm.run()?;
    Ok((finish::finish(&vm.arena, root, data.len())?, vm.at))
}

struct Machine<'a> {
    data: &'a [u8],
    at: usize,
    arena: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack at each open mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    storages: &'a mut dyn Storages,
    /// By key, so that tensors share what was shared.
    loaded: HashMap<String, Id>,
}

#[cold]
fn broken(what: &str) -> Error {
    Error::format(format!("the pickle is damaged: {what}"))
}

impl<'a> Machine<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end =
            self.at.checked_add(n).filter(|&e| e <= self.data.len()).ok_or_else(|| broken("it ends too early"))?;
        let bytes = &self.data[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u32(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.bytes()?) as usize)
    }

    fn u64(&mut self) -> Result<usize> {
        usize::try_from(u64::from_le_bytes(self.bytes()?)).map_err(|_| broken("a length is too large"))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.data[self.at..];
        let n = rest.iter().position(|&b| b == b'\n').ok_or_else(|| broken("it ends too early"))?;
        self.at += n + 1;
        std::str::from_utf8(&rest[..n]).map_err(|_| broken("a name is not UTF-8"))
    }

    fn push(&mut self, node: Node) {
        self.arena.push(node);
        self.stack.push(self.arena.len() - 1);
    }

    fn value(&mut self, v: Value) {
        self.push(Node::Leaf(v));
    }

    /// The height below which an opcode may not reach: the innermost mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id> {
        if self.stack.len() <= self.floor() {
            return Err(broken("its stack is empty"));
        }
        self.stack.pop().ok_or_else(|| broken("its stack is empty"))
    }

    fn top(&self) -> Result<Id> {
        if self.stack.len() <= self.floor() {
            return Err(broken("its stack is empty"));
        }
        self.stack.last().copied().ok_or_else(|| broken("its stack is empty"))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| broken("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn text(&mut self, n: usize) -> Result<()> {
        let s = std::str::from_utf8(self.take(n)?).map_err(|_| broken("a string is not UTF-8"))?;
        self.value(Value::Str(s.to_string()));
        Ok(())
    }

    /// A string of Python 2: text if it can be.
    fn old_string(&mut self, n: usize) -> Result<()> {
        let bytes = self.take(n)?;
        let v = match std::str::from_utf8(bytes) {
            Ok(s) => Value::Str(s.to_string()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        };
        self.value(v);
        Ok(())
    }

    fn blob(&mut self, n: usize) -> Result<()> {
        let bytes = self.take(n)?.to_vec();
        self.value(Value::Bytes(bytes));
        Ok(())
    }

    fn long(&mut self, n: usize) -> Result<()> {
        let mut bytes = self.take(n)?.to_vec();
        // Drop bytes that only repeat the sign.
        while let [.., low, high] = bytes[..] {
            if (high == 0 && low < 0x80) || (high == 0xff && low >= 0x80) {
                bytes.pop();
            } else {
                break;
            }
        }
        if bytes.len() > 8 {
            self.value(Value::BigInt(bytes));
            return Ok(());
        }
        let fill = if bytes.last().is_some_and(|b| *b >= 0x80) { 0xff } else { 0 };
        let mut word = [fill; 8];
        word[..bytes.len()].copy_from_slice(&bytes);
        self.value(Value::Int(i64::from_le_bytes(word)));
        Ok(())
    }

    fn get(&mut self, i: usize) -> Result<()> {
        let id = *self.memo.get(&(i as u32)).ok_or_else(|| broken("it refers to a memo that was never stored"))?;
        self.stack.push(id);
        Ok(())
    }

    fn put(&mut self, i: usize) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(i as u32, top);
        Ok(())
    }

    fn tuple(&mut self, n: usize) -> Result<()> {
        if self.stack.len() < self.floor() + n {
            return Err(broken("its stack is empty"));
        }
        let items = self.stack.split_off(self.stack.len() - n);
        self.push(Node::Tuple(items));
        Ok(())
    }

    fn run(&mut self) -> Result<Id> {
        loop {
            let code = self.take(1)?[0];
            match code {
                op::PROTO => {
                    let version = self.take(1)?[0];
                    if version > 5 {
                        return Err(Error::format(format!("unsupported pickle protocol: {version}")));
                    }
                }
                op::FRAME => drop(self.take(8)?),
                op::STOP => return self.pop(),
                op::MARK => self.marks.push(self.stack.len()),
                op::POP => {
                    if self.stack.len() > self.floor() {
                        self.stack.pop();
                    } else {
                        self.pop_mark()?;
                    }
                }
                op::POP_MARK => drop(self.pop_mark()?),
                op::DUP => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                op::NONE => self.value(Value::None),
                op::NEWTRUE => self.value(Value::Bool(true)),
                op::NEWFALSE => self.value(Value::Bool(false)),
                op::BININT => {
                    let v = i32::from_le_bytes(self.bytes()?);
                    self.value(Value::Int(v as i64));
                }
                op::BININT1 => {
                    let v = self.take(1)?[0];
                    self.value(Value::Int(v as i64));
                }
                op::BININT2 => {
                    let v = u16::from_le_bytes(self.bytes()?);
                    self.value(Value::Int(v as i64));
                }
                op::LONG1 => {
                    let n = self.take(1)?[0] as usize;
                    self.long(n)?;
                }
                op::LONG4 => {
                    let n = self.u32()?;
                    self.long(n)?;
                }
                op::BINFLOAT => {
                    let v = f64::from_be_bytes(self.bytes()?);
                    self.value(Value::Float(v));
                }
                op::SHORT_BINUNICODE => {
                    let n = self.take(1)?[0] as usize;
                    self.text(n)?;
                }
                op::BINUNICODE => {
                    let n = self.u32()?;
                    self.text(n)?;
                }
                op::BINUNICODE8 => {
                    let n = self.u64()?;
                    self.text(n)?;
                }
                op::SHORT_BINSTRING => {
                    let n = self.take(1)?[0] as usize;
                    self.old_string(n)?;
                }
                op::BINSTRING => {
                    let n = self.u32()?;
                    self.old_string(n)?;
                }
                op::SHORT_BINBYTES => {
                    let n = self.take(1)?[0] as usize;
                    self.blob(n)?;
                }
                op::BINBYTES => {
                    let n = self.u32()?;
                    self.blob(n)?;
                }
                op::BINBYTES8 | op::BYTEARRAY8 => {
                    let n = self.u64()?;
                    self.blob(n)?;
                }
                op::EMPTY_LIST => self.push(Node::List(Vec::new())),
                op::EMPTY_TUPLE => self.push(Node::Tuple(Vec::new())),
                op::EMPTY_SET => self.push(Node::Set(Vec::new())),
                op::EMPTY_DICT => {
                    self.push(Node::Dict { kind: DictKind::Plain, entries: Vec::new(), attributes: None });
                }
                op::TUPLE => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items));
                }
                op::TUPLE1 => self.tuple(1)?,
                op::TUPLE2 => self.tuple(2)?,
                op::TUPLE3 => self.tuple(3)?,
                op::FROZENSET => {
                    let items = self.pop_mark()?;
                    self.push(Node::Set(items));
                }
                op::APPEND => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                op::APPENDS => {
                    let items = self.pop_mark()?;
                    self.extend(items)?;
                }
                op::ADDITEMS => {
                    let items = self.pop_mark()?;
                    let top = self.top()?;
                    match &mut self.arena[top] {
                        Node::Set(set) => set.extend(items),
                        _ => return Err(broken("it adds items to something that is not a set")),
                    }
                }
                op::SETITEM => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set_items(&[key, value])?;
                }
                op::SETITEMS => {
                    let items = self.pop_mark()?;
                    self.set_items(&items)?;
                }
                op::BINGET => {
                    let i = self.take(1)?[0] as usize;
                    self.get(i)?;
                }
                op::LONG_BINGET => {
                    let i = self.u32()?;
                    self.get(i)?;
                }
                op::BINPUT => {
                    let i = self.take(1)?[0] as usize;
                    self.put(i)?;
                }
                op::LONG_BINPUT => {
                    let i = self.u32()?;
                    self.put(i)?;
                }
                op::MEMOIZE => self.put(self.memo.len())?,
                op::GLOBAL => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Node::Global(find(module, name)?));
                }
                op::STACK_GLOBAL => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let global = find(self.str(module)?, self.str(name)?)?;
                    self.push(Node::Global(global));
                }
                op::REDUCE | op::NEWOBJ => {
                    let (args, callee) = (self.pop()?, self.pop()?);
                    self.call(callee, args)?;
                }
                op::BUILD => {
                    let state = self.pop()?;
                    self.build(state)?;
                }
                op::BINPERSID => {
                    let id = self.pop()?;
                    self.persistent(id)?;
                }
                other => return Err(Error::Unsafe(format!("Unsupported operand {other}"))),
            }
        }
    }

    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let top = self.top()?;
        match &mut self.arena[top] {
            Node::List(list) => list.extend(items),
            _ => return Err(broken("it appends to something that is not a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()?;
        match &mut self.arena[top] {
            Node::Dict { entries, .. } if items.len().is_multiple_of(2) => {
                entries.extend(items.chunks_exact(2).map(|p| (p[0], p[1])));
                Ok(())
            }
            _ => Err(broken("it sets items of something that is not a dict")),
        }
    }

    pub(super) fn str(&self, id: Id) -> Result<&str> {
        match &self.arena[id] {
            Node::Leaf(Value::Str(s)) => Ok(s),
            _ => Err(broken("a string was expected")),
        }
    }

    fn int(&self, id: Id) -> Result<i64> {
        match &self.arena[id] {
            Node::Leaf(Value::Int(i)) => Ok(*i),
            _ => Err(broken("an integer was expected")),
        }
    }

    fn bool(&self, id: Id) -> Result<bool> {
        match &self.arena[id] {
            Node::Leaf(Value::Bool(b)) => Ok(*b),
            _ => Err(broken("a bool was expected")),
        }
    }

    fn float(&self, id: Id) -> Result<f64> {
        match &self.arena[id] {
            Node::Leaf(Value::Float(f)) => Ok(*f),
            Node::Leaf(Value::Int(i)) => Ok(*i as f64),
            _ => Err(broken("a float was expected")),
        }
    }

    fn sequence(&self, id: Id) -> Result<&[Id]> {
        match &self.arena[id] {
            Node::Tuple(items) | Node::List(items) => Ok(items),
            _ => Err(broken("a tuple was expected")),
        }
    }

    fn ints(&self, id: Id) -> Result<Vec<i64>> {
        if let Node::Leaf(Value::Size(s)) = &self.arena[id] {
            return Ok(s.clone());
        }
        self.sequence(id)?.iter().map(|&i| self.int(i)).collect()
    }

    fn tensor(&self, id: Id) -> Result<&Arc<RawTensor>> {
        match &self.arena[id] {
            Node::Leaf(Value::Tensor(t)) => Ok(t),
            _ => Err(broken("a tensor was expected")),
        }
    }

    fn call(&mut self, callee: Id, args: Id) -> Result<()> {
        let Node::Global(callee) = self.arena[callee] else {
            return Err(Error::Unsafe("Trying to call reduce for unrecognized function".into()));
        };
        let args = match &self.arena[args] {
            Node::Tuple(items) => items.clone(),
            _ => return Err(broken("arguments are not a tuple")),
        };
        let node = self.construct(callee, &args)?;
        self.push(node);
        Ok(())
    }

    fn construct(&mut self, callee: Global, args: &[Id]) -> Result<Node> {
        let leaf = |v| Ok(Node::Leaf(v));
        match (callee, args) {
            (Global::OrderedDict, []) => {
                Ok(Node::Dict { kind: DictKind::Ordered, entries: Vec::new(), attributes: None })
            }
            (Global::Counter, []) => Ok(Node::Dict { kind: DictKind::Counter, entries: Vec::new(), attributes: None }),
            (Global::Counter, &[d]) => match &self.arena[d] {
                Node::Dict { entries, .. } => {
                    Ok(Node::Dict { kind: DictKind::Counter, entries: entries.clone(), attributes: None })
                }
                _ => Err(broken("a Counter is not made of a dict")),
            },
            // Python 2 spelled an ordered dict as a list of pairs.
            (Global::OrderedDict, &[pairs]) => {
                let pairs = self.sequence(pairs)?.iter().map(|&p| match self.sequence(p)? {
                    &[k, v] => Ok((k, v)),
                    _ => Err(broken("an OrderedDict is not made of pairs")),
                });
                Ok(Node::Dict { kind: DictKind::Ordered, entries: pairs.collect::<Result<_>>()?, attributes: None })
            }
            (Global::Set, []) => Ok(Node::Set(Vec::new())),
            (Global::Set, &[items]) => Ok(Node::Set(self.sequence(items)?.to_vec())),
            (Global::Bytes | Global::ByteArray, []) => leaf(Value::Bytes(Vec::new())),
            (Global::ByteArray | Global::Bytes, &[b]) => match &self.arena[b] {
                Node::Leaf(Value::Bytes(b)) => leaf(Value::Bytes(b.clone())),
                _ => Err(broken("bytes were expected")),
            },
            (Global::Encode | Global::ByteArray, &[text, encoding]) if self.str(encoding)? == "latin1" => {
                let chars = self.str(text)?.chars().map(|c| u8::try_from(c as u32));
                let bytes = chars.collect::<Result<_, _>>().map_err(|_| broken("bytes are not latin1"))?;
                leaf(Value::Bytes(bytes))
            }
            (Global::Complex, &[re, im]) => leaf(Value::Complex(self.float(re)?, self.float(im)?)),
            (Global::Size, &[sizes]) => leaf(Value::Size(self.ints(sizes)?)),
            (Global::Device, &[kind]) => leaf(Value::Device(self.str(kind)?.to_string())),
            (Global::Device, &[kind, index]) => {
                leaf(Value::Device(format!("{}:{}", self.str(kind)?, self.int(index)?)))
            }
            (Global::RebuildTensor, &[s, offset, sizes, strides]) => self.rebuild(s, offset, sizes, strides, None),
            (Global::RebuildTensorV2, &[s, offset, sizes, strides, grad, _]) => {
                let t = self.rebuild(s, offset, sizes, strides, None)?;
                self.flags(t, grad, None)
            }
            (Global::RebuildTensorV2, &[s, offset, sizes, strides, grad, _, metadata]) => {
                let t = self.rebuild(s, offset, sizes, strides, None)?;
                self.flags(t, grad, Some(metadata))
            }
            (Global::RebuildTensorV3, &[s, offset, sizes, strides, grad, _, dtype, ref metadata @ ..]) => {
                let Node::Global(Global::DType(d)) = self.arena[dtype] else {
                    return Err(broken("a dtype was expected"));
                };
                let t = self.rebuild(s, offset, sizes, strides, Some(d))?;
                self.flags(t, grad, metadata.first().copied())
            }
            (Global::RebuildParameter, &[data, grad, _])
            | (Global::RebuildParameterWithState, &[data, grad, _, _])
            | (Global::Parameter, &[data, grad]) => {
                let mut t = RawTensor::clone(self.tensor(data)?);
                t.requires_grad = self.bool(grad)?;
                t.is_parameter = true;
                leaf(Value::Tensor(Arc::new(t)))
            }
            // A tensor with Python attributes, or a parameter saved as a tensor: the attributes are dropped.
            (Global::RebuildFromType, &[callee, class, args, _]) => {
                let Node::Global(Global::Tensor | Global::Parameter) = self.arena[class] else {
                    return Err(Error::Unsafe("only torch.Tensor and Parameter can be rebuilt".into()));
                };
                let Node::Global(callee) = self.arena[callee] else {
                    return Err(Error::Unsafe("Trying to call reduce for unrecognized function".into()));
                };
                // Once only: nesting would recurse.
                if callee == Global::RebuildFromType {
                    return Err(broken("a tensor is rebuilt twice"));
                }
                let args = self.sequence(args)?.to_vec();
                self.construct(callee, &args)
            }
            _ => Err(Error::Unsafe(format!("{callee:?} cannot be called with {} arguments", args.len()))),
        }
    }

    fn rebuild(&self, storage: Id, offset: Id, sizes: Id, strides: Id, dtype: Option<DType>) -> Result<Node> {
        let Node::Storage(storage, own) = &self.arena[storage] else {
            return Err(broken("a storage was expected"));
        };
        let dtype = dtype.or(*own).ok_or_else(|| broken("a tensor of an untyped storage has no dtype"))?;
        let (sizes, strides) = (self.ints(sizes)?, self.ints(strides)?);
        let t = RawTensor::new(storage.clone(), dtype, self.int(offset)?, sizes, strides)?;
        Ok(Node::Leaf(Value::Tensor(Arc::new(t))))
    }

    fn flags(&self, node: Node, requires_grad: Id, metadata: Option<Id>) -> Result<Node> {
        let Node::Leaf(Value::Tensor(t)) = node else { return Ok(node) };
        let mut t = Arc::unwrap_or_clone(t);
        t.requires_grad = self.bool(requires_grad)?;
        if let Some(Node::Dict { entries, .. }) = metadata.map(|m| &self.arena[m]) {
            for &(k, v) in entries {
                match self.str(k)? {
                    "conj" => t.conj = self.bool(v)?,
                    "neg" => t.neg = self.bool(v)?,
                    _ => {}
                }
            }
        }
        Ok(Node::Leaf(Value::Tensor(Arc::new(t))))
    }

    fn build(&mut self, state: Id) -> Result<()> {
        let top = self.top()?;
        match &mut self.arena[top] {
            Node::Dict { kind: DictKind::Ordered, attributes, .. } => {
                *attributes = Some(state);
                Ok(())
            }
            _ => Err(Error::Unsafe("Can only build OrderedDict".into())),
        }
    }

    /// `("storage", class, key, location, number of elements)`
    fn persistent(&mut self, id: Id) -> Result<()> {
        let parts = self.sequence(id)?.to_vec();
        let &[tag, class, key, location, numel, ..] = &parts[..] else {
            return Err(broken("a persistent id is too short"));
        };
        if self.str(tag)? != "storage" {
            return Err(Error::Unsafe("Only persistent_load of storage is allowed".into()));
        }
        let Node::Global(Global::Storage(dtype)) = self.arena[class] else {
            return Err(broken("a storage class was expected"));
        };
        let key = self.str(key)?.to_string();
        if let Some(&known) = self.loaded.get(&key) {
            let Node::Storage(storage, _) = &self.arena[known] else {
                return Err(broken("a storage was expected"));
            };
            // The same memory may be named with another class.
            let node = Node::Storage(storage.clone(), dtype);
            self.push(node);
            return Ok(());
        }
        let item = dtype.map_or(1, DType::size);
        let bytes = usize::try_from(self.int(numel)?).ok().and_then(|n| n.checked_mul(item));
        let bytes = bytes.ok_or_else(|| broken("a storage's size is invalid"))?;
        let location = self.str(location)?.to_string();
        let bytes = self.storages.load(&key, bytes)?;
        self.push(Node::Storage(Arc::new(RawStorage { bytes, location }), dtype));
        self.loaded.insert(key, self.arena.len() - 1);
        Ok(())
    }
}

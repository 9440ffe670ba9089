//! From the unpickler's graph to a tree of values.

use super::globals::Global;
use super::read::{Id, Node};
use crate::error::{Error, Result};
use crate::value::{Dict, Value};
use std::collections::HashMap;

/// Deeper data is refused: it would overflow the stack of whoever walks it.
const DEPTH: usize = 200;

pub(super) fn finish(arena: &[Node], root: Id, pickle_bytes: usize) -> Result<Value> {
    // A graph of n nodes can unfold to a tree of 2^n: honest files stay far below this.
    let budget = pickle_bytes.saturating_mul(64).saturating_add(1 << 20);
    Finish { arena, budget }.value(root, 0)
}

struct Finish<'a> {
    arena: &'a [Node],
    budget: usize,
}

impl Finish<'_> {
    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.budget = self
            .budget
            .checked_sub(bytes)
            .ok_or_else(|| Error::format("the pickle's shared objects unfold to too much data"))?;
        Ok(())
    }

    fn all(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>> {
        items.iter().map(|&i| self.value(i, depth)).collect()
    }

    fn entries(&mut self, entries: &[(Id, Id)], depth: usize) -> Result<Vec<(Value, Value)>> {
        let mut out: Vec<(Value, Value)> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for &(k, v) in entries {
            let (key, value) = (self.value(k, depth)?, self.value(v, depth)?);
            // Setting a key again replaces its value and keeps its place.
            let place = match &key {
                Value::Str(s) => Some(Key::Str(s.clone())),
                Value::Int(i) => Some(Key::Int(*i)),
                Value::Bool(b) => Some(Key::Int(*b as i64)),
                Value::List(_) | Value::Dict(_) | Value::Set(_) => {
                    return Err(Error::format("the pickle is damaged: an unhashable dict key"));
                }
                _ => None,
            };
            match place.map(|p| places.entry(p)) {
                Some(std::collections::hash_map::Entry::Occupied(at)) => out[*at.get()].1 = value,
                Some(std::collections::hash_map::Entry::Vacant(free)) => {
                    free.insert(out.len());
                    out.push((key, value));
                }
                None => out.push((key, value)),
            }
        }
        Ok(out)
    }

    fn value(&mut self, id: Id, depth: usize) -> Result<Value> {
        if depth > DEPTH {
            return Err(Error::format("the pickle is nested too deeply, or contains itself"));
        }
        self.spend(size_of::<Value>())?;
        let d = depth + 1;
        Ok(match &self.arena[id] {
            Node::Leaf(v) => {
                self.spend(match v {
                    Value::Str(s) => s.len(),
                    Value::Bytes(b) | Value::BigInt(b) => b.len(),
                    Value::Size(s) => s.len() * 8,
                    _ => 0,
                })?;
                v.clone()
            }
            Node::List(items) => Value::List(self.all(items, d)?),
            Node::Tuple(items) => Value::Tuple(self.all(items, d)?),
            Node::Set(items) => Value::Set(self.all(items, d)?),
            Node::Dict { kind, entries, attributes } => {
                let entries = self.entries(entries, d)?;
                let attributes = match attributes.map(|a| &self.arena[a]) {
                    None => Vec::new(),
                    Some(Node::Dict { entries, .. }) => self.entries(entries, d)?,
                    Some(_) => return Err(Error::format("the pickle is damaged: attributes are not a dict")),
                };
                Value::Dict(Dict { kind: *kind, entries, attributes })
            }
            Node::Global(Global::DType(dtype)) => Value::DType(*dtype),
            Node::Global(g) => return Err(Error::Unsafe(format!("{g:?} is not data"))),
            Node::Storage(..) => return Err(Error::Unsafe("a bare storage is not supported, only tensors".into())),
        })
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Str(String),
    Int(i64),
}

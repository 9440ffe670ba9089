//! State dicts: a module's tensors by name.

use std::collections::{HashMap, HashSet};

use flambeau_core::autograd::no_grad;
use flambeau_core::{Error, Result, Tensor, layout};

/// Tensors by name, in the module's order, with the modules' versions that PyTorch keeps as `_metadata`.
#[derive(Clone, Default)]
pub struct StateDict {
    pub tensors: Vec<(String, Tensor)>,
    /// Prefix of each module (empty for the root) and its version.
    pub versions: Vec<(String, i64)>,
}

impl StateDict {
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|(n, _)| n.as_str())
    }

    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let name = name.into();
        match self.tensors.iter_mut().find(|(n, _)| *n == name) {
            Some(slot) => slot.1 = tensor,
            None => self.tensors.push((name, tensor)),
        }
    }

    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

impl From<Vec<(String, Tensor)>> for StateDict {
    fn from(tensors: Vec<(String, Tensor)>) -> Self {
        StateDict { tensors, versions: Vec::new() }
    }
}

/// Names that a state dict lacked or had too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    pub missing_keys: Vec<String>,
    pub unexpected_keys: Vec<String>,
}

pub(crate) fn load(class: &str, own: &StateDict, given: &StateDict, strict: bool) -> Result<LoadReport> {
    let theirs: HashMap<&str, &Tensor> = given.tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let known: HashSet<&str> = own.names().collect();
    let mut report = LoadReport {
        missing_keys: own.names().filter(|n| !theirs.contains_key(n)).map(String::from).collect(),
        unexpected_keys: given.names().filter(|n| !known.contains(n)).map(String::from).collect(),
    };
    // Checkpoints older than the counter of batch norm lack it.
    if given.versions.is_empty() {
        report.missing_keys.retain(|n| !n.ends_with("num_batches_tracked"));
    }
    let mut errors = Vec::new();
    let quoted = |names: &[String]| names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    if strict && !report.unexpected_keys.is_empty() {
        errors.push(format!("Unexpected key(s) in state_dict: {}. ", quoted(&report.unexpected_keys)));
    }
    if strict && !report.missing_keys.is_empty() {
        errors.push(format!("Missing key(s) in state_dict: {}. ", quoted(&report.missing_keys)));
    }
    for (name, t) in &own.tensors {
        if let Some(v) = theirs.get(name.as_str())
            && v.sizes() != t.sizes()
        {
            errors.push(format!(
                "size mismatch for {name}: copying a param with shape torch.Size({}) from checkpoint, the shape in current \
                 model is torch.Size({}).",
                layout::fmt(v.sizes()),
                layout::fmt(t.sizes())
            ));
        }
    }
    if !errors.is_empty() {
        let class = class.rsplit("::").next().unwrap_or(class);
        return Err(Error::runtime(format!("Error(s) in loading state_dict for {class}:\n\t{}", errors.join("\n\t"))));
    }
    no_grad(|| {
        for (name, t) in &own.tensors {
            if let Some(v) = theirs.get(name.as_str()) {
                flambeau_ops::copy::copy_(t, v)?;
            }
        }
        Ok(report)
    })
}

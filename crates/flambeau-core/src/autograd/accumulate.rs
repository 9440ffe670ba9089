//! Adding into `.grad`.

use parking_lot::{Mutex, MutexGuard};
use std::cell::Cell;

use super::grad_enabled;
use crate::error::Result;
use crate::intrinsics::intrinsics;
use crate::layout::is_non_overlapping_and_dense;
use crate::shared::Shared;
use crate::tensor::Tensor;

/// Two passes may add to one leaf at once. A few locks serve all leaves.
static LOCKS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

thread_local! {
    /// Whether this thread holds one of the locks: adding may run a user's hooks, which may come back here.
    static HOLDING: Cell<bool> = const { Cell::new(false) };
}

struct Turn(#[expect(dead_code, reason = "held until dropped")] MutexGuard<'static, ()>);

impl Drop for Turn {
    fn drop(&mut self) {
        HOLDING.set(false);
    }
}

fn turn(leaf: &Tensor) -> Option<Turn> {
    if HOLDING.get() {
        return None;
    }
    let lock = &LOCKS[leaf.id() / 64 % LOCKS.len()];
    let guard = loop {
        if let Some(guard) = lock.try_lock() {
            break guard;
        }
        // Whoever holds it may need the front end's lock to go on.
        crate::call::unlocked(&mut || std::thread::sleep(std::time::Duration::from_micros(20)));
    };
    HOLDING.set(true);
    Some(Turn(guard))
}

/// The leaf's own hooks on its gradient.
pub(super) fn run_hooks(leaf: &Tensor, g: &mut Tensor) -> Result<()> {
    let hooks = match &leaf.meta().lock().hooks {
        Some(h) => h.before.clone(),
        None => return Ok(()),
    };
    for (_, hook) in hooks {
        if let Some(new) = hook.call(g)? {
            *g = new;
        }
    }
    Ok(())
}

pub(super) fn accumulate(leaf: &Tensor, g: &Tensor, seen: bool) -> Result<()> {
    let meta = leaf.meta();
    let hooked = {
        let inner = meta.lock();
        if !inner.requires_grad {
            return Ok(());
        }
        inner.hooks.is_some()
    };
    if hooked {
        let mut own = g.clone();
        if !seen {
            run_hooks(leaf, &mut own)?;
        }
        let holders = if own.is(g) { 2 } else { 1 };
        add(leaf, &own, holders)?;
        let after = meta.lock().hooks.as_ref().map(|h| h.after.clone()).unwrap_or_default();
        for (_, hook) in after {
            hook.call(leaf)?;
        }
        return Ok(());
    }
    add(leaf, g, 1)
}

/// Whether a gradient is laid out in memory as `.grad` should be: as its leaf where that is dense, else row-major.
fn fits(g: &Tensor, leaf: &Tensor) -> bool {
    if leaf.numel() == 0 {
        return g.strides() == leaf.strides();
    }
    if is_non_overlapping_and_dense(leaf.sizes(), leaf.strides()) {
        g.sizes().iter().zip(g.strides().iter().zip(leaf.strides())).all(|(&n, (a, b))| n == 1 || a == b)
    } else {
        g.is_contiguous()
    }
}

fn copy_of(g: &Tensor, leaf: &Tensor) -> Result<Tensor> {
    // What is recorded is a write into new memory, as in PyTorch, where the leaf is dense.
    let dense = is_non_overlapping_and_dense(leaf.sizes(), leaf.strides());
    if fits(g, leaf) && !(dense && (grad_enabled() || g.strides().contains(&0))) {
        return intrinsics().clone(g);
    }
    let new = if dense {
        Tensor::empty_strided(leaf.sizes(), leaf.strides(), g.dtype(), g.device())?
    } else {
        Tensor::empty(leaf.sizes(), g.dtype(), g.device())?
    };
    (intrinsics().copy_)(&new, g)?;
    Ok(new)
}

/// Adds `g`, of which the pass itself holds `holders` handles.
fn add(leaf: &Tensor, g: &Tensor, holders: usize) -> Result<()> {
    let meta = leaf.meta();
    let _turn = turn(leaf);
    let old = meta.lock().grad.clone();
    let new = match old {
        None if grad_enabled() => copy_of(g, leaf)?,
        None => {
            // What nobody else holds can be kept as it is.
            let alone = g.handles() <= holders && Shared::strong_count(g.storage()) == 1 && g.front().is_null();
            // Nor is what was expanded, even to one element.
            if alone && fits(g, leaf) && !g.strides().contains(&0) { g.detach() } else { copy_of(&g.detach(), leaf)? }
        }
        Some(old) if grad_enabled() => intrinsics().add(&old, g)?,
        Some(old) => {
            intrinsics().add_(&old, g)?;
            old
        }
    };
    let before = meta.lock().grad.replace(new);
    drop(before);
    Ok(())
}

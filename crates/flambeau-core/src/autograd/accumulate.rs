//! Adding into `.grad`.

use super::grad_enabled;
use crate::error::Result;
use crate::intrinsics::intrinsics;
use crate::tensor::Tensor;

pub(super) fn accumulate(leaf: &Tensor, g: &Tensor) -> Result<()> {
    let meta = leaf.meta();
    let hooks = {
        let inner = meta.lock();
        if !inner.requires_grad {
            return Ok(());
        }
        inner.hooks.as_ref().map(|h| (h.before.clone(), !h.after.is_empty()))
    };
    let mut g = g.clone();
    for (_, hook) in hooks.iter().flat_map(|(before, _)| before) {
        if let Some(new) = hook.call(&g)? {
            g = new;
        }
    }
    let old = meta.lock().grad.clone();
    let new = match old {
        None if grad_enabled() => intrinsics().clone(&g)?,
        None => {
            // Two handles here mean that nobody else holds it (`g` and the caller's): it can be kept as it is.
            let dense = crate::layout::is_non_overlapping_and_dense(g.sizes(), g.strides());
            if dense && g.handles() <= 2 && std::sync::Arc::strong_count(g.storage()) == 1 && g.front().is_null() {
                g.detach()
            } else {
                intrinsics().clone(&g.detach())?
            }
        }
        Some(old) if grad_enabled() => intrinsics().add(&old, &g)?,
        Some(old) => {
            intrinsics().add_(&old, &g)?;
            old
        }
    };
    meta.lock().grad = Some(new);
    if matches!(hooks, Some((_, true))) {
        let after = meta.lock().hooks.as_ref().map(|h| h.after.clone()).unwrap_or_default();
        for (_, hook) in after {
            hook.call(leaf)?;
        }
    }
    Ok(())
}

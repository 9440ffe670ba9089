//! Per-thread switches: gradient mode, inference mode.

use std::cell::Cell;

thread_local! {
    static GRAD: Cell<bool> = const { Cell::new(true) };
    static INFERENCE: Cell<bool> = const { Cell::new(false) };
}

/// Whether operations are recorded now.
#[inline]
pub fn grad_enabled() -> bool {
    GRAD.get()
}

pub fn set_grad_enabled(on: bool) {
    GRAD.set(on);
}

#[inline]
pub fn inference_mode() -> bool {
    INFERENCE.get()
}

pub fn set_inference_mode(on: bool) {
    INFERENCE.set(on);
}

/// Sets gradient mode until dropped.
#[must_use = "the mode lasts as long as the guard"]
pub struct GradGuard(bool);

impl GradGuard {
    pub fn new(on: bool) -> GradGuard {
        GradGuard(GRAD.replace(on))
    }
}

impl Drop for GradGuard {
    fn drop(&mut self) {
        GRAD.set(self.0);
    }
}

/// Runs `f` without recording (`torch.no_grad`).
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    let _guard = GradGuard::new(false);
    f()
}

/// Runs `f` with recording on (`torch.enable_grad`).
pub fn enable_grad<T>(f: impl FnOnce() -> T) -> T {
    let _guard = GradGuard::new(true);
    f()
}

/// Inference mode until dropped: nothing is recorded and results keep no version.
#[must_use = "the mode lasts as long as the guard"]
pub struct InferenceGuard {
    before: bool,
    _grad: GradGuard,
}

impl InferenceGuard {
    pub fn new(on: bool) -> InferenceGuard {
        let grad = GradGuard::new(if on { false } else { grad_enabled() });
        InferenceGuard { before: INFERENCE.replace(on), _grad: grad }
    }
}

impl Drop for InferenceGuard {
    fn drop(&mut self) {
        INFERENCE.set(self.before);
    }
}

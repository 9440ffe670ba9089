//! Anomaly detection: where in the program a node was made, and gradients that are not numbers.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::node::{Node, Notes};
use crate::shared::Shared;

static ON: AtomicBool = AtomicBool::new(false);
static CHECK_NAN: AtomicBool = AtomicBool::new(true);

/// How a front end keeps and tells where a node was made.
pub struct AnomalyFront {
    /// Asked when a node is made; `parent` is the node whose backward pass is making it.
    pub trace: fn(parent: Option<&Shared<Node>>) -> Option<Notes>,
    /// Told when a node's backward pass failed.
    pub report: fn(&Shared<Node>),
}

static FRONT: OnceLock<AnomalyFront> = OnceLock::new();

thread_local! {
    /// The nodes being run by this thread, innermost last; kept only while the mode is on.
    static RUNNING: RefCell<Vec<Shared<Node>>> = const { RefCell::new(Vec::new()) };
}

/// Installs the front end's part; once.
pub fn set_anomaly_front(front: AnomalyFront) {
    let _ = FRONT.set(front);
}

/// Whether new nodes keep where they were made, and backward passes are watched.
#[inline]
pub fn anomaly_mode() -> bool {
    ON.load(Relaxed)
}

/// Whether the watched passes stop at the first gradient that is not a number.
pub fn anomaly_check_nan() -> bool {
    CHECK_NAN.load(Relaxed)
}

pub fn set_anomaly_mode(on: bool, check_nan: bool) {
    ON.store(on, Relaxed);
    CHECK_NAN.store(check_nan, Relaxed);
}

#[cold]
pub(super) fn trace(node: &Shared<Node>) {
    if let Some(front) = FRONT.get() {
        let parent = RUNNING.with_borrow(|r| r.last().cloned());
        if let Some(notes) = (front.trace)(parent.as_ref()) {
            node.set_notes(notes);
        }
    }
}

/// Runs `f`, which is the backward pass of `node`; a failure is reported.
#[cold]
pub(super) fn watch<T>(node: &Shared<Node>, f: impl FnOnce() -> crate::Result<T>) -> crate::Result<T> {
    struct Running;
    impl Drop for Running {
        fn drop(&mut self) {
            RUNNING.with_borrow_mut(Vec::pop);
        }
    }
    RUNNING.with_borrow_mut(|r| r.push(node.clone()));
    let _running = Running;
    let result = f();
    if let (Err(_), Some(front)) = (&result, FRONT.get()) {
        (front.report)(node);
    }
    result
}

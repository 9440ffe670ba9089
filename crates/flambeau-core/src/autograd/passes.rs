//! The backward passes that a thread is running, for hooks that ask about them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::node::Node;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::shared::Shared;

type Callback = Box<dyn FnOnce() -> Result<()>>;

/// One running pass.
pub(super) struct Pass {
    id: i64,
    /// Adds into every leaf that it reaches: nothing was picked out.
    whole: bool,
    pub tasks: RefCell<Tasks>,
    node: RefCell<Option<Shared<Node>>>,
    callbacks: RefCell<Vec<Callback>>,
}

thread_local! {
    static RUNNING: RefCell<Vec<Rc<Pass>>> = const { RefCell::new(Vec::new()) };
}

/// Counts as running until dropped.
pub(super) struct Running(pub Rc<Pass>);

impl Running {
    pub fn begin(tasks: Tasks, whole: bool) -> Running {
        static IDS: AtomicI64 = AtomicI64::new(0);
        let pass = Rc::new(Pass {
            id: IDS.fetch_add(1, Relaxed),
            whole,
            tasks: RefCell::new(tasks),
            node: RefCell::new(None),
            callbacks: RefCell::new(Vec::new()),
        });
        RUNNING.with_borrow_mut(|r| r.push(pass.clone()));
        Running(pass)
    }

    /// Runs `f` on a node, which [`current_node`] says meanwhile, and lets it go.
    pub fn at<T>(&self, node: Shared<Node>, f: impl FnOnce(&Shared<Node>) -> T) -> T {
        self.0.node.replace(Some(node));
        let done = f(self.0.node.borrow().as_ref().expect("just put there"));
        // Dropped when the place is free again: a destructor may ask which node runs.
        let node = self.0.node.take();
        drop(node);
        done
    }

    /// Runs what [`queue_callback`] left; callbacks may queue more.
    pub fn finish(&self) -> Result<()> {
        loop {
            let due = std::mem::take(&mut *self.0.callbacks.borrow_mut());
            if due.is_empty() {
                return Ok(());
            }
            for callback in due {
                callback()?;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
        std::mem::take(&mut *self.0.tasks.borrow_mut()).recycle();
    }
}

fn innermost() -> Option<Rc<Pass>> {
    RUNNING.with_borrow(|r| r.last().cloned())
}

/// The number of the innermost pass of this thread, or -1.
pub fn current_pass() -> i64 {
    innermost().map_or(-1, |p| p.id)
}

/// The node that the innermost pass of this thread runs.
pub fn current_node() -> Option<Shared<Node>> {
    innermost()?.node.borrow().clone()
}

/// Whether every pass that this thread runs adds into all leaves, which is what checkpoints that run a pass inside one need.
pub fn passes_are_whole() -> bool {
    RUNNING.with_borrow(|r| r.iter().all(|p| p.whole))
}

/// Runs `f` once the innermost pass of this thread has ended well.
pub fn queue_callback(f: Callback) -> Result<()> {
    let Some(pass) = innermost() else {
        return Err(Error::runtime("Final callbacks can only be installed during backward pass."));
    };
    pass.callbacks.borrow_mut().push(f);
    Ok(())
}

/// Whether the innermost pass of this thread runs (or has run) a node.
pub fn will_execute(node: &Shared<Node>) -> Result<bool> {
    let Some(pass) = innermost() else {
        return Err(Error::runtime("_get_should_execute_nodes should only be called during the backward pass"));
    };
    let tasks = pass.tasks.borrow();
    let Some(task) = tasks.get(Shared::as_ptr(node)) else { return Ok(false) };
    crate::check!(
        !(task.captured && node.is_accumulator()),
        Runtime,
        "A leaf node was passed to _will_engine_execute_node but we are currently running autograd.grad(). This is currently \
         not supported."
    );
    Ok(task.reached && (task.needed || task.captured))
}

//! Saved-tensor hooks: how tensors kept for the backward pass may be stored some other way.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Turns a tensor into whatever is kept in its place.
pub trait SavedHooks: Send + Sync {
    fn pack(&self, t: &Tensor) -> Result<Arc<dyn Packed>>;
    fn as_any(&self) -> &dyn Any;
}

/// What is kept in a tensor's place.
pub trait Packed: Send + Sync {
    /// The tensor, asked for by the backward pass; possibly more than once.
    fn unpack(&self) -> Result<Tensor>;
    fn as_any(&self) -> &dyn Any;
}

#[derive(Default)]
struct Stack {
    hooks: Vec<Arc<dyn SavedHooks>>,
    /// Why hooks must not be used now.
    disabled: Option<String>,
}

thread_local! {
    /// Whether the stack has hooks: all that a recording asks when there are none.
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static STACK: RefCell<Stack> = RefCell::new(Stack::default());
}

/// Whether tensors saved now go through hooks.
#[inline]
pub(crate) fn active() -> bool {
    ACTIVE.get()
}

fn refusal(message: &str) -> Error {
    Error::runtime(message.to_string())
}

/// From now on this thread saves tensors through `hooks` (the innermost ones count).
pub fn push_saved_hooks(hooks: Arc<dyn SavedHooks>) -> Result<()> {
    STACK.with_borrow_mut(|s| {
        if let Some(why) = &s.disabled {
            return Err(refusal(why));
        }
        s.hooks.push(hooks);
        ACTIVE.set(true);
        Ok(())
    })
}

/// Ends the last [`push_saved_hooks`].
pub fn pop_saved_hooks() {
    // Dropped outside the borrow: a hook's destructor may come back here.
    let old = STACK.with_borrow_mut(|s| {
        let old = s.hooks.pop();
        ACTIVE.set(!s.hooks.is_empty());
        old
    });
    drop(old);
}

/// The hooks in force, if any.
pub fn saved_hooks() -> Option<Arc<dyn SavedHooks>> {
    if !active() {
        return None;
    }
    STACK.with_borrow(|s| s.hooks.last().cloned())
}

/// Forbids hooks in this thread, with the message that trying them gives; `None` allows them. Returns what was before.
pub fn disable_saved_hooks(message: Option<String>) -> Result<Option<String>> {
    STACK.with_borrow_mut(|s| {
        if let (Some(why), false) = (&message, s.hooks.is_empty()) {
            return Err(refusal(why));
        }
        Ok(std::mem::replace(&mut s.disabled, message))
    })
}

/// Why hooks must not be used now, if so.
pub fn saved_hooks_disabled() -> Option<String> {
    STACK.with_borrow(|s| s.disabled.clone())
}

/// Told of a tensor that is about to be written to.
pub type BeforeWrite = Arc<dyn Fn(&Tensor) -> Result<()> + Send + Sync>;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static BEFORE_WRITE: RefCell<Option<BeforeWrite>> = const { RefCell::new(None) };
}

/// Calls `f` before each in-place write of this thread; `None` ends that.
pub fn set_before_write(f: Option<BeforeWrite>) {
    WATCHED.set(f.is_some());
    let old = BEFORE_WRITE.replace(f);
    drop(old);
}

#[inline]
pub(crate) fn before_write(t: &Tensor) -> Result<()> {
    if WATCHED.get() { told(t) } else { Ok(()) }
}

#[cold]
fn told(t: &Tensor) -> Result<()> {
    let f = BEFORE_WRITE.with_borrow(Clone::clone);
    f.map_or(Ok(()), |f| f(t))
}

/// Runs the hooks on a tensor, which they must leave as it is.
pub(crate) fn pack(hooks: &dyn SavedHooks, t: &Tensor) -> Result<Arc<dyn Packed>> {
    let before = t.version();
    let packed = super::no_grad(|| hooks.pack(t))?;
    crate::check!(
        t.version() == before,
        Runtime,
        "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be modified \
         by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to perform \
         in-place operations on the input to a pack hook."
    );
    Ok(packed)
}

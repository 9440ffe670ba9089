//! What a backward pass knows of the nodes that it reaches.

use std::cell::Cell;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::node::Node;
use crate::tensor::Tensor;

/// What the pass knows of a node.
#[derive(Default)]
pub(super) struct Task {
    /// Gradients still to come.
    pub waiting: u32,
    /// Lies on a way to a wanted input (always true when none are named).
    pub needed: bool,
    /// The roots lead here.
    pub reached: bool,
    /// Its gradient is to be handed back.
    pub captured: bool,
    pub incoming: SmallVec<[Option<Tensor>; 1]>,
    /// `(output number, place in the result)` to hand back.
    pub captures: SmallVec<[(u32, usize); 1]>,
}

/// A task for each node. Nodes have numbers, so that a node is looked up once per edge and not at every step.
#[derive(Default)]
pub(super) struct Tasks {
    numbers: FxHashMap<*const Node, u32>,
    list: Vec<Task>,
}

thread_local! {
    /// The tables of this thread's last pass: a short pass would spend its time growing new ones.
    static LAST: Cell<Option<Tasks>> = const { Cell::new(None) };
}

/// Nodes whose tables are kept for the next pass.
const KEEP: usize = 1 << 16;

impl Tasks {
    /// No tasks, in the memory of the thread's last pass if no other pass uses it.
    pub fn new() -> Tasks {
        LAST.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Gives the memory to the thread's next pass.
    pub fn recycle(mut self) {
        self.numbers.clear();
        self.list.clear();
        if self.numbers.capacity() <= KEEP {
            let _ = LAST.try_with(|last| last.set(Some(self)));
        }
    }

    /// The number of `node`, which gets one if it has none.
    #[inline]
    pub fn number(&mut self, node: *const Node) -> u32 {
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(node).or_insert(next);
        if number == next {
            self.list.push(Task::default());
        }
        number
    }

    #[inline]
    pub fn known(&self, node: *const Node) -> Option<u32> {
        self.numbers.get(&node).copied()
    }

    pub fn get(&self, node: *const Node) -> Option<&Task> {
        self.known(node).map(|n| &self.list[n as usize])
    }

    #[inline]
    pub fn task(&mut self, number: u32) -> &mut Task {
        &mut self.list[number as usize]
    }
}

//! What a tensor is: see ARCHITECTURE.md.

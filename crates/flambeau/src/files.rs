//! Checkpoints.

use std::path::Path;

use flambeau_core::Result;
use flambeau_io::state;
use flambeau_nn::StateDict;

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
}

/// Writes a state dict: as safetensors if the file's name ends so, else as PyTorch's own file, which
/// `torch.load(path)` reads.
///
/// # Errors
/// `Runtime` where the file cannot be written, `Type` for what the format does not know.
pub fn save(state_dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    if is_safetensors(path) {
        state::save_safetensors(path, &state_dict.tensors)?;
    } else {
        state::save_pth(path, &state_dict.tensors, &state_dict.versions)?;
    }
    Ok(())
}

/// Reads a state dict that [`save`], `torch.save` or safetensors wrote. Nothing in a file is run.
///
/// # Errors
/// `Runtime` for a file that cannot be read, is damaged, or does not hold a dict of tensors.
pub fn load(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    if is_safetensors(path) {
        return Ok(StateDict { tensors: state::load_safetensors(path)?, versions: Vec::new() });
    }
    let (tensors, versions) = state::load_pth(path)?;
    Ok(StateDict { tensors, versions })
}

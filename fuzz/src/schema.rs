//! The parser of signatures.

use crate::Outcome;
use flambeau_core::schema::Schema;

pub fn schema(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    if let Ok(parsed) = Schema::parse(&text) {
        let shown: Vec<String> = parsed.params.iter().map(|p| p.describe()).collect();
        if shown.iter().any(|s| s.is_empty()) {
            return Err(format!("a parameter of {text:?} shows as nothing"));
        }
    }
    Schema::name_of(&text);
    Ok(())
}

pub fn seeds() -> Vec<Vec<u8>> {
    const OWN: [&str; 4] = [
        "index_put_(Tensor input, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
        "pad(Tensor input, int[] pad, str mode='constant', float? value=None) -> Tensor",
        "max(Tensor input, int dim, bool keepdim=False, *, Tensor[2]? out=None) -> (Tensor values, Tensor indices)",
        "rand(int[] size, *, Generator? generator=None, ScalarType? dtype=None, Device? device=None) -> Tensor",
    ];
    let mut all: Vec<Vec<u8>> = OWN.iter().map(|s| s.as_bytes().to_vec()).collect();
    #[cfg(feature = "ops")]
    all.extend(flambeau_ops::registry().iter().map(|op| op.sig.as_bytes().to_vec()));
    all.dedup();
    all
}

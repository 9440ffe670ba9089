//! Checkpoints, to and from PyTorch's files.

use super::*;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../flambeau-io/tests/fixtures").join(name)
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("flambeau-{}-{name}", std::process::id()))
}

fn model() -> Result<Sequential> {
    Ok(Sequential::new().add(Linear::new(3, 2)?).add(BatchNorm1d::new(2)?))
}

/// The fixture is `torch.save(net.state_dict())` of the same network from the same seed.
#[test]
fn pytorchs_file_loads_and_ours_holds_the_same() -> Result<()> {
    let _guard = seeded(0);
    let net = model()?;
    let theirs = load(fixture("state_dict.pth"))?;
    assert_eq!(theirs.names().collect::<Vec<_>>(), net.state_dict().names().collect::<Vec<_>>());
    for ((name, a), (_, b)) in theirs.tensors.iter().zip(&net.state_dict().tensors) {
        assert_eq!((values(a), a.dtype()), (values(b), b.dtype()), "{name}");
    }
    assert_eq!(theirs.versions, net.state_dict().versions);
    let path = temporary("a.pth");
    save(&net.state_dict(), &path)?;
    let (ours, pytorchs) = (flambeau_io::pth::load(&path), flambeau_io::pth::load(fixture("state_dict.pth")));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ours.unwrap(), pytorchs.unwrap(), "structure, names, versions, strides and bytes");
    Ok(())
}

#[test]
fn both_formats_make_the_round_trip() -> Result<()> {
    let _guard = seeded(0);
    let net = model()?;
    for name in ["b.pth", "b.safetensors"] {
        let path = temporary(name);
        save(&net.state_dict(), &path)?;
        let other = model()?;
        other.load_state_dict(&load(&path)?, true)?;
        std::fs::remove_file(&path).unwrap();
        for ((key, a), (_, b)) in net.state_dict().tensors.iter().zip(&other.state_dict().tensors) {
            assert_eq!(values(a), values(b), "{name} {key}");
        }
    }
    Ok(())
}

#[test]
fn shared_memory_stays_shared_in_a_checkpoint() -> Result<()> {
    let base = arange(0, 12)?.reshape(&[3, 4])?;
    let state = StateDict::from(vec![("base".to_string(), base.clone()), ("column".to_string(), base.select(1, 2)?)]);
    let path = temporary("c.pth");
    save(&state, &path)?;
    let back = load(&path)?;
    std::fs::remove_file(&path).unwrap();
    back.get("base").unwrap().fill_(5.0)?;
    assert_eq!(values(back.get("column").unwrap()), [5.0; 3]);
    assert_eq!(back.get("column").unwrap().strides(), [4]);
    Ok(())
}

#[test]
fn what_is_no_state_dict_is_refused() {
    for (name, text) in
        [("tensors.pth", "lazy conjugate"), ("values.pth", "dict"), ("evil.pth", "Weights only load failed")]
    {
        let e = load(fixture(name)).map(|_| ()).unwrap_err().to_string();
        assert!(e.contains(text), "{name}: {e}");
    }
    assert!(load("/nowhere/at-all.pth").is_err());
    assert!(load(fixture("big.npy")).is_err());
}

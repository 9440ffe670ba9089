//! Files made by PyTorch and NumPy (`fixtures/make.py`), read, written again and damaged.

use flambeau_core::DType;
use flambeau_io::{Dict, DictKind, Error, RawStorage, RawTensor, Value, npy, pth, safetensors};
use std::io::{Cursor, Write};
use std::sync::Arc;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn read(name: &str) -> Value {
    pth::read(Cursor::new(fixture(name))).unwrap()
}

fn dict(v: &Value) -> &Dict {
    match v {
        Value::Dict(d) => d,
        other => panic!("{other:?}"),
    }
}

fn tensor<'a>(d: &'a Dict, key: &str) -> &'a Arc<RawTensor> {
    match d.get(key) {
        Some(Value::Tensor(t)) => t,
        other => panic!("{key}: {other:?}"),
    }
}

fn floats(t: &RawTensor) -> Vec<f32> {
    assert_eq!(t.dtype(), DType::F32);
    t.to_bytes().chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect()
}

/// The contents of a stored record, found by its local header.
fn record(archive: &[u8], name: &str) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut out = Vec::new();
    std::io::copy(&mut zip.by_name(name).unwrap(), &mut out).unwrap();
    out
}

#[test]
fn state_dict_keeps_names_values_and_versions() {
    let v = read("state_dict.pth");
    let d = dict(&v);
    assert_eq!(d.kind, DictKind::Ordered);
    let names: Vec<_> = d.entries.iter().map(|(k, _)| k.clone()).collect();
    let want = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"];
    assert_eq!(names, want.map(|n| Value::Str(n.into())));
    assert_eq!(tensor(d, "0.weight").sizes(), [2, 3]);
    assert_eq!(floats(tensor(d, "1.running_var")), [1.0, 1.0]);
    let (key, metadata) = &d.attributes[0];
    assert_eq!(key, &Value::from("_metadata"));
    assert_eq!(dict(dict(metadata).get("1").unwrap()).get("version"), Some(&Value::Int(2)));
    assert_eq!(dict(&read("legacy.pth")).entries.len(), 7);
}

#[test]
fn legacy_and_zip_hold_the_same() {
    assert_eq!(read("legacy.pth"), read("state_dict.pth"));
}

#[test]
fn tensors_share_storages_and_identity() {
    let v = read("tensors.pth");
    let d = dict(&v);
    let all: Vec<f32> = (0..12).map(|i| i as f32).collect();
    assert_eq!(floats(tensor(d, "base")), all);
    assert_eq!(floats(tensor(d, "row")), [4.0, 5.0, 6.0, 7.0]);
    assert_eq!(floats(tensor(d, "column")), [2.0, 6.0, 10.0]);
    assert_eq!(floats(tensor(d, "transposed"))[..4], [0.0, 4.0, 8.0, 1.0]);
    for view in ["row", "column", "transposed"] {
        assert!(Arc::ptr_eq(tensor(d, view).storage(), tensor(d, "base").storage()));
    }
    assert!(Arc::ptr_eq(tensor(d, "param"), tensor(d, "again")));
    assert!(tensor(d, "param").is_parameter && tensor(d, "param").requires_grad);
    assert!(!tensor(d, "grad").is_parameter && tensor(d, "grad").requires_grad);
    assert_eq!(tensor(d, "empty").sizes(), [0, 3]);
    assert_eq!(tensor(d, "scalar").to_bytes()[..], 5i64.to_le_bytes());
    assert!(tensor(d, "conj").conj);
    let Some(Value::List(list)) = d.get("dtypes") else { panic!() };
    let dtypes: Vec<DType> = list
        .iter()
        .map(|v| match v {
            Value::Tensor(t) => t.dtype(),
            v => panic!("{v:?}"),
        })
        .collect();
    use DType::*;
    let want = [
        U8, I8, I16, I32, I64, F16, F32, F64, C32, C64, C128, Bool, BF16, U16, U32, U64, F8E5M2, F8E4M3FN, F8E5M2FNUZ,
        F8E4M3FNUZ, F8E8M0FNU,
    ];
    assert_eq!(dtypes, want);
}

#[test]
fn the_other_byte_order_is_refused() {
    let archive = fixture("tensors.pth");
    let mut source = zip::ZipArchive::new(Cursor::new(&archive)).unwrap();
    let mut target = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let names: Vec<String> = source.file_names().map(|name| name.unwrap().into_owned()).collect();
    for name in names {
        target.start_file(&name, stored).unwrap();
        if name.ends_with("/byteorder") {
            target.write_all(b"big").unwrap();
        } else {
            std::io::copy(&mut source.by_name(&name).unwrap(), &mut target).unwrap();
        }
    }
    let big = target.finish().unwrap().into_inner();
    let e = pth::read(Cursor::new(big)).expect_err("another byte order");
    assert!(e.to_string().contains("big-endian"), "{e}");
}

#[test]
fn loaded_tensors_share_what_they_shared() {
    let base = flambeau_core::Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], &[4]).unwrap();
    let named = [("a".to_string(), base.clone()), ("b".to_string(), base.detach())];
    let path = std::env::temp_dir().join(format!("flambeau-shared-{}.pth", std::process::id()));
    flambeau_io::state::save_pth(&path, &named, &[]).unwrap();
    let loaded = flambeau_io::state::load_pth(&path);
    std::fs::remove_file(&path).unwrap();
    let (tensors, _) = loaded.unwrap();
    assert_eq!(tensors[0].1.data_ptr(), tensors[1].1.data_ptr());
    assert_ne!(tensors[0].1.data_ptr(), base.data_ptr());
}

#[test]
fn plain_values_of_every_protocol() {
    let v = read("values.pth");
    let d = dict(&v);
    let ints = [1, 0, 0, -1, 255, 256, 65536, -(1 << 31), 1 << 31, i64::MAX, i64::MIN];
    let Some(Value::List(list)) = d.get("ints") else { panic!() };
    assert_eq!(list[..2], [Value::Bool(true), Value::Bool(false)]);
    assert_eq!(list[2..11], ints[2..].iter().map(|&i| Value::Int(i)).collect::<Vec<_>>());
    assert_eq!(list[11], Value::BigInt(vec![0, 0, 0, 0, 0, 0, 0, 0x80, 0]));
    assert_eq!(list[12], Value::BigInt(vec![0, 0, 0, 0, 0, 0, 0, 0, 0xc0]));
    assert_eq!(d.get("floats"), Some(&Value::List(vec![1.5.into(), f64::INFINITY.into(), (-0.0).into()])));
    assert_eq!(d.get("complex"), Some(&Value::Complex(1.0, -2.0)));
    assert_eq!(d.get("text"), Some(&"hé 🔥".into()));
    assert_eq!(d.get("bytes"), Some(&Value::List(vec![b"\x00\xffab".to_vec().into(), b"x".to_vec().into()])));
    assert_eq!(d.get("set"), Some(&Value::Set(vec![7i64.into()])));
    let Some((_, Value::Dict(inner))) = d.entries.iter().find(|e| e.0 == Value::Int(3)) else { panic!() };
    assert_eq!(inner.get("size"), Some(&Value::Size(vec![2, 3])));
    assert_eq!(inner.get("dtype"), Some(&DType::BF16.into()));
    assert_eq!(inner.get("device"), Some(&Value::Device("cuda:1".into())));
    for p in [3, 4, 5] {
        assert_eq!(read(&format!("values_p{p}.pth")), v);
    }
}

#[test]
fn written_pickles_equal_pytorchs_byte_for_byte() {
    for name in ["state_dict", "tensors"] {
        let original = fixture(&format!("{name}.pth"));
        let value = pth::read(Cursor::new(&original)).unwrap();
        let ours = pth::write(Cursor::new(Vec::new()), name, &value).unwrap().into_inner();
        for file in ["data.pkl", "byteorder", "version", ".format_version", ".storage_alignment", "data/0"] {
            let file = format!("{name}/{file}");
            assert_eq!(record(&ours, &file), record(&original, &file), "{file}");
        }
    }
}

#[test]
fn what_is_written_reads_the_same() {
    for name in ["state_dict", "tensors", "values"] {
        let value = read(&format!("{name}.pth"));
        let bytes = pth::write(Cursor::new(Vec::new()), "x", &value).unwrap().into_inner();
        assert_eq!(pth::read(Cursor::new(&bytes)).unwrap(), value);
        // Contents are aligned for memory mapping.
        let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        for i in 0..zip.len() {
            assert_eq!(zip.by_index(i).unwrap().data_start().unwrap() % 64, 0);
        }
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved.pth");
    let value = Value::List(vec![Vec::<u8>::new().into(), Value::None]);
    pth::save(&path, &value).unwrap();
    assert_eq!(pth::load(&path).unwrap(), value);
    record(&std::fs::read(&path).unwrap(), "saved/data.pkl");
    let missing = pth::load(path.with_extension("none")).unwrap_err();
    assert!(matches!(missing, Error::Io(e) if e.kind() == std::io::ErrorKind::NotFound));
}

#[test]
fn code_is_refused() {
    let e = pth::read(Cursor::new(fixture("evil.pth"))).unwrap_err();
    assert!(matches!(e, Error::Unsafe(_)));
    let text = "Unsupported global: GLOBAL posix.system was not an allowed global by default.";
    assert!(e.to_string().contains(text), "{e}");
}

#[test]
fn impossible_values_are_refused() {
    let storage = RawStorage::new(vec![0; 8]);
    let view = |d, o, n: &[i64], s: &[i64]| RawTensor::new(storage.clone(), d, o, n.to_vec(), s.to_vec());
    assert!(view(DType::F32, 0, &[2], &[1]).is_ok());
    for (o, n, s) in [
        (0, &[3][..], &[1][..]),
        (1, &[2], &[1]),
        (-1, &[1], &[1]),
        (0, &[-1], &[1]),
        (0, &[2], &[-1]),
        (0, &[2], &[1, 1]),
        (0, &[2, 2], &[i64::MAX, i64::MAX]),
        (0, &[i64::MAX, i64::MAX, 0], &[0, 0, 0]),
        (i64::MAX, &[2], &[1]),
    ] {
        assert!(view(DType::F32, o, n, s).is_err(), "{o} {n:?} {s:?}");
    }
    // One storage as two dtypes cannot be saved.
    let both: Vec<Value> =
        vec![view(DType::F32, 0, &[2], &[1]).unwrap().into(), view(DType::I32, 0, &[2], &[1]).unwrap().into()];
    let e = pth::write(Cursor::new(Vec::new()), "x", &both.into()).unwrap_err();
    assert!(e.to_string().contains("view the same data as different types"));
    let mut deep = Value::None;
    for _ in 0..300 {
        deep = Value::List(vec![deep]);
    }
    assert!(matches!(pth::write(Cursor::new(Vec::new()), "x", &deep), Err(Error::Unsupported(_))));
}

/// A checkpoint around a pickle written by hand.
fn archive_of(pickle: &[u8]) -> Cursor<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a/data.pkl", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, pickle).unwrap();
    zip.finish().unwrap()
}

#[test]
fn hostile_pickles_give_errors() {
    // A list that contains itself.
    assert!(pth::read(archive_of(b"\x80\x02]q\x00h\x00a.")).is_err());
    // Lists of the list before, twice: 2^60 elements.
    let mut bomb = b"\x80\x02]q\x00".to_vec();
    for i in 0..60 {
        bomb.extend([b']', b'h', i, b'a', b'h', i, b'a', b'q', i + 1]);
    }
    bomb.push(b'.');
    assert!(pth::read(archive_of(&bomb)).is_err());
    // Ten thousand tuples in one another.
    let mut deep = b"\x80\x02N".to_vec();
    deep.extend([0x85; 10_000]);
    deep.push(b'.');
    assert!(pth::read(archive_of(&deep)).is_err());
    for bad in [
        &b""[..],
        b".",
        b"\x80\x02",
        b"\x80\x09N.",
        b"N0.",
        b"t.",
        b"(K\x01",
        b"]K\x01e.",
        b"NNs.",
        b"(}u.",
        b"h\x05.",
        b"j\xff\xff\xff\xff.",
        b"X\xff\xff\xff\xffab.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.",
        b"X\x01\x00\x00\x00\xff.",
        b"\x8b\xff\xff\xff\x7f.",
        b"NQ.",
        b"ctorch\nfloat32\n)R.",
        b"NNR.",
        b"}}\x85b.",
        b"c__builtin__\neval\n.",
        b"ctorch\n_C\n.",
        b"i",
    ] {
        assert!(pth::read(archive_of(bad)).is_err(), "{bad:?}");
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Every cut of a file and many changed bytes: an error or a value, never a panic.
fn damage(name: &str, rounds: usize, read: impl Fn(&[u8]) -> bool) {
    let bytes = fixture(name);
    assert!(read(&bytes), "{name}");
    let step = (bytes.len() / 100).max(1);
    for n in (0..bytes.len()).step_by(step) {
        read(&bytes[..n]);
    }
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds {
        let mut bad = bytes.clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bad.len());
            bad[at] = match rng.below(3) {
                0 => bad[at] ^ (1 << rng.below(8)),
                1 => rng.below(256) as u8,
                _ => [0, 0xff, 0x80, b'.', b'('][rng.below(5)],
            };
        }
        read(&bad);
    }
}

#[test]
fn damaged_files_never_panic() {
    for name in ["state_dict.pth", "tensors.pth", "values.pth", "values_p4.pth", "legacy.pth"] {
        damage(name, 300, |b| pth::read(Cursor::new(b)).is_ok());
    }
    damage("c.npy", 5000, |b| npy::read(b).is_ok());
    damage("fortran.npy", 1000, |b| npy::read(b).is_ok());
    damage("compressed.npz", 500, |b| npy::read_npz(Cursor::new(b)).is_ok());
}

/// As above, but inside a valid archive: no checksum stops the damage before the pickle.
#[test]
fn damaged_pickles_never_panic() {
    for name in ["state_dict", "tensors", "values", "values_p4"] {
        let pickle = record(&fixture(&format!("{name}.pth")), &format!("{name}/data.pkl"));
        let mut rng = Rng(0x1234_5678_9abc_def1);
        for _ in 0..600 {
            let mut bad = pickle.clone();
            for _ in 0..1 + rng.below(4) {
                let at = rng.below(bad.len());
                bad[at] = if rng.below(2) == 0 { rng.below(256) as u8 } else { bad[at] ^ (1 << rng.below(8)) };
            }
            bad.truncate(bad.len() - if rng.below(4) == 0 { rng.below(bad.len()) } else { 0 });
            let _ = pth::read(archive_of(&bad));
        }
    }
}

#[test]
fn safetensors_round_trip_and_refusals() {
    let v = read("tensors.pth");
    let d = dict(&v);
    let mut tensors: Vec<(String, RawTensor)> =
        ["base", "column", "scalar", "empty"].map(|n| (n.to_string(), RawTensor::clone(tensor(d, n)))).into();
    let Some(Value::List(list)) = d.get("dtypes") else { panic!() };
    for v in list {
        let Value::Tensor(t) = v else { panic!() };
        if !matches!(t.dtype(), DType::C32 | DType::C128) {
            tensors.push((t.dtype().to_string(), RawTensor::clone(t)));
        }
    }
    let metadata = std::collections::HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = safetensors::write(&tensors, metadata.clone()).unwrap();
    let file = safetensors::read(&bytes[..], bytes.len() as u64).unwrap();
    assert_eq!(file.metadata, metadata);
    assert_eq!(file.tensors.len(), tensors.len());
    for (name, t) in &tensors {
        let (_, got) = file.tensors.iter().find(|f| &f.0 == name).unwrap();
        assert_eq!((got.dtype(), got.sizes(), got.to_bytes()), (t.dtype(), t.sizes(), t.to_bytes()), "{name}");
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("x.safetensors");
    safetensors::save(&path, &tensors, metadata).unwrap();
    assert_eq!(safetensors::load(&path).unwrap(), file);

    let complex = vec![("z".to_string(), RawTensor::contiguous(DType::C128, vec![1], vec![0; 16]).unwrap())];
    assert!(matches!(safetensors::write(&complex, Default::default()), Err(Error::Unsupported(_))));
    let conj = vec![("z".to_string(), RawTensor::clone(tensor(d, "conj")))];
    assert!(matches!(safetensors::write(&conj, Default::default()), Err(Error::Unsupported(_))));
    let read = |b: &[u8]| safetensors::read(b, b.len() as u64).is_ok();
    for n in 0..bytes.len() {
        assert!(!read(&bytes[..n]));
    }
    let mut rng = Rng(77);
    for _ in 0..5000 {
        let mut bad = bytes.clone();
        let at = rng.below(bad.len());
        bad[at] = rng.below(256) as u8;
        read(&bad);
    }
}

#[test]
fn npy_and_npz() {
    let want: Vec<f32> = (0..6).map(|i| i as f32).collect();
    for name in ["c.npy", "fortran.npy"] {
        let a = npy::read(&fixture(name)).unwrap();
        assert_eq!(a.sizes(), [2, 3]);
        assert_eq!(floats(&a), want, "{name}");
    }
    let big = npy::read(&fixture("big.npy")).unwrap();
    assert_eq!(big.dtype(), DType::F64);
    assert_eq!(big.to_bytes()[8..16], 1f64.to_le_bytes());
    let c = npy::read(&fixture("c.npy")).unwrap();
    assert_eq!(npy::write(&c).unwrap(), fixture("c.npy"), "NumPy's own bytes");

    let arrays = npy::read_npz(Cursor::new(fixture("compressed.npz"))).unwrap();
    let names: Vec<&str> = arrays.iter().map(|a| &a.0[..]).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(floats(&arrays[0].1), want);
    assert_eq!(arrays[1].1.sizes(), [0i64; 0]);
    assert_eq!(arrays[2].1.dtype(), DType::Bool);
    let bytes = npy::write_npz(Cursor::new(Vec::new()), &arrays).unwrap().into_inner();
    assert_eq!(npy::read_npz(Cursor::new(bytes)).unwrap(), arrays);
    let bf16 = RawTensor::contiguous(DType::BF16, vec![1], vec![0; 2]).unwrap();
    assert_eq!(npy::write(&bf16).unwrap_err().to_string(), "Got unsupported ScalarType BFloat16");
}

/// PyTorch's files that `tests/tools/record_io.py` writes for the Python tests.
fn interchange(name: &str) -> Value {
    let path = format!("{}/../../tests/io/fixtures/interchange/{name}", env!("CARGO_MANIFEST_DIR"));
    pth::load(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn optimizers_and_schedulers_of_pytorch_in_both_formats() {
    let new = interchange("optimizers.pth");
    assert_eq!(new, interchange("optimizers.old.pth"));
    let names: Vec<_> = dict(&new).entries.iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(names.len(), 12);
    let adam = dict(dict(&new).get("Adam").unwrap());
    let Some(Value::List(groups)) = adam.get("param_groups") else { panic!() };
    assert_eq!(dict(&groups[0]).get("lr"), Some(&Value::Float(0.1)));
    assert_eq!(dict(&groups[0]).get("params"), Some(&Value::List(vec![0i64.into()])));
    let state = dict(adam.get("state").unwrap());
    let (key, first) = &state.entries[0];
    assert_eq!(key, &Value::Int(0));
    assert_eq!(floats(tensor(dict(first), "step")), [2.0]);
    assert_eq!(tensor(dict(first), "max_exp_avg_sq").sizes(), [3]);
    let schedulers = interchange("schedulers.pth");
    let step = dict(dict(&schedulers).get("StepLR").unwrap());
    assert_eq!(step.get("last_epoch"), Some(&Value::Int(1)));
}

#[test]
fn state_dicts_and_views_of_pytorch_in_both_formats() {
    for name in ["state_dict", "views", "old_dtypes"] {
        assert_eq!(interchange(&format!("{name}.pth")), interchange(&format!("{name}.old.pth")), "{name}");
    }
    assert_eq!(dict(&interchange("dtypes.pth")).len(), 21);
    assert!(matches!(
        pth::load(format!("{}/../../tests/io/fixtures/interchange/modules.pth", env!("CARGO_MANIFEST_DIR"))),
        Err(Error::Unsafe(_))
    ));
}

#[test]
fn saving_replaces_files_whole() {
    let folder = std::env::temp_dir().join(format!("flambeau-atomic-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("x.pth");
    pth::save(&path, &Value::Int(1)).unwrap();
    // Too deep to be saved: the error comes before the old file is touched.
    let deep = (0..300).fold(Value::None, |v, _| Value::List(vec![v]));
    assert!(pth::save(&path, &deep).is_err());
    assert_eq!(pth::load(&path).unwrap(), Value::Int(1));
    pth::save(&path, &Value::Int(2)).unwrap();
    assert_eq!(pth::load(&path).unwrap(), Value::Int(2));
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["x.pth"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

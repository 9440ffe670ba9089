//! The readers of files.

use std::io::{Cursor, Read, Write};

use crate::budget::peak_of;
use crate::{Outcome, files};
use flambeau_io::{Value, npy as npy_format, pth as pth_format, safetensors as st, state};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Beyond this much for each byte of input a reader is wasteful enough to be attacked with.
const PER_BYTE: usize = 200;
/// Deflate shrinks up to 1032 to 1, and that much a record may honestly be.
const PER_BYTE_PACKED: usize = 3000;
const FREE: usize = 1 << 20;
/// Views can repeat elements without limit: larger ones are not copied out.
const LARGE: usize = 1 << 20;

fn within<T>(what: &str, data: &[u8], per_byte: usize, f: impl FnOnce() -> T) -> Result<T, String> {
    let (result, peak) = peak_of(f);
    if peak > FREE + per_byte * data.len() {
        return Err(format!("{what} took {peak} bytes for an input of {}", data.len()));
    }
    Ok(result)
}

fn folder(path: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths.into_iter().filter_map(|p| std::fs::read(p).ok()).collect()
}

fn fixtures() -> Vec<Vec<u8>> {
    let mut all = folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/io/fixtures"));
    all.extend(folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/flambeau-io/tests/fixtures")));
    all
}

/// A first byte says what the rest is: a whole file, or the pickle of a file that is put together around it.
pub fn pth(data: &[u8]) -> Outcome {
    let Some((&kind, rest)) = data.split_first() else { return Ok(()) };
    let file = match kind % 4 {
        0 | 1 => rest.to_vec(),
        2 => archive(rest, CompressionMethod::Stored),
        _ => archive(rest, CompressionMethod::Deflated),
    };
    let Ok(value) = within("reading", &file, PER_BYTE_PACKED, || pth_format::read(Cursor::new(&file)))? else {
        return Ok(());
    };
    if is_large(&value) {
        return Ok(());
    }
    let _ = state::from_value(&value);
    if let Ok(written) = pth_format::write(Cursor::new(Vec::new()), "again", &value) {
        let written = written.into_inner();
        match pth_format::read(Cursor::new(&written)) {
            Ok(again) => match pth_format::write(Cursor::new(Vec::new()), "again", &again) {
                Ok(twice) if twice.get_ref() == &written => {}
                _ => return Err("what was written changes when it is read and written again".into()),
            },
            Err(e) => return Err(format!("what was written cannot be read: {e}")),
        }
    }
    Ok(())
}

/// Whether tensors of a value have more elements than their bytes can hold many times over.
fn is_large(value: &Value) -> bool {
    match value {
        Value::Tensor(t) => {
            t.sizes().iter().try_fold(t.dtype().size(), |n, &s| n.checked_mul(s as usize)).is_none_or(|n| n > LARGE)
        }
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().any(is_large),
        Value::Dict(d) => d.entries.iter().chain(&d.attributes).any(|(k, v)| is_large(k) || is_large(v)),
        _ => false,
    }
}

fn archive(pickle: &[u8], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    let mut add = |name: &str, bytes: &[u8]| {
        zip.start_file(name, options).and_then(|()| Ok(zip.write_all(bytes)?)).expect("writing to memory")
    };
    add("f/data.pkl", pickle);
    add("f/byteorder", b"little");
    for (i, n) in [48, 4, 8, 16, 24, 32, 12, 2].into_iter().enumerate() {
        add(&format!("f/data/{i}"), &vec![i as u8; n]);
    }
    zip.finish().expect("writing to memory").into_inner()
}

pub fn pth_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for file in fixtures() {
        if let Ok(mut zip) = ZipArchive::new(Cursor::new(&file)) {
            let names: Vec<String> = zip.file_names().filter_map(|n| Some(n.ok()?.into_owned())).collect();
            for name in names.into_iter().filter(|n| n.ends_with("/data.pkl")) {
                let mut pickle = vec![2];
                if zip.by_name(&name).is_ok_and(|mut f| f.read_to_end(&mut pickle).is_ok()) {
                    seeds.push(pickle);
                }
            }
        }
        if !file.starts_with(b"\x93NUMPY") {
            seeds.push([&[0], &file[..]].concat());
        }
    }
    // One tensor of the first storage, to be bent.
    seeds.push(
        [
            &b"\x02\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"[..],
            b"K\x0ctQK\0K\x03K\x04\x86K\x04K\x01\x86\x89ccollections\nOrderedDict\n)RtR.",
        ]
        .concat(),
    );
    seeds
}

pub fn safetensors(data: &[u8]) -> Outcome {
    let read = within("reading", data, PER_BYTE, || st::read(Cursor::new(data), data.len() as u64))?;
    let Ok(file) = read else { return Ok(()) };
    let written = match st::write(&file.tensors, file.metadata.clone()) {
        Ok(w) => w,
        Err(e) => return Err(format!("what was read cannot be written: {e}")),
    };
    match st::read(Cursor::new(&written), written.len() as u64) {
        Ok(again) if again.metadata == file.metadata && same(&again.tensors, &file.tensors) => Ok(()),
        Ok(_) => Err("what was written differs when it is read".into()),
        Err(e) => Err(format!("what was written cannot be read: {e}")),
    }
}

type Named = Vec<(String, flambeau_io::RawTensor)>;

/// The order in the file is the writer's.
fn same(a: &Named, b: &Named) -> bool {
    let find = |name: &str| b.iter().find(|t| t.0 == name).map(|t| &t.1);
    a.len() == b.len()
        && a.iter().all(|(name, t)| {
            find(name).is_some_and(|u| t.dtype() == u.dtype() && t.sizes() == u.sizes() && t.to_bytes() == u.to_bytes())
        })
}

pub fn safetensors_seeds() -> Vec<Vec<u8>> {
    let make = |header: &str, data: &[u8]| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    vec![
        make(
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[4],"data_offsets":[24,28]}}"#,
            &[7; 28],
        ),
        make(
            r#"{"x":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},"e":{"dtype":"I64","shape":[0,5],"data_offsets":[2,2]}}"#,
            &[1; 2],
        ),
        make("{}", &[]),
    ]
}

pub fn npy(data: &[u8]) -> Outcome {
    if let Ok(array) = within("reading", data, PER_BYTE, || npy_format::read(data))?
        && array.numel() * array.dtype().size() <= files::LARGE
    {
        let written = npy_format::write(&array).map_err(|e| format!("what was read cannot be written: {e}"))?;
        let again = npy_format::read(&written).map_err(|e| format!("what was written cannot be read: {e}"))?;
        if again.to_bytes() != array.to_bytes() || again.sizes() != array.sizes() {
            return Err("what was written differs when it is read".into());
        }
    }
    let _ = within("reading npz", data, PER_BYTE_PACKED, || npy_format::read_npz(Cursor::new(data)))?;
    Ok(())
}

pub fn npy_seeds() -> Vec<Vec<u8>> {
    fixtures().into_iter().filter(|f| f.starts_with(b"\x93NUMPY") || f.starts_with(b"PK")).collect()
}

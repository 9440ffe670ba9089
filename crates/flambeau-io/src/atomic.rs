//! Files that are replaced only once their new contents are complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::Result;

/// Lets `write` fill a new file, which then takes the place of `path`: as [`replace_path`].
pub(crate) fn replace(path: &Path, write: impl FnOnce(BufWriter<File>) -> Result<BufWriter<File>>) -> Result<()> {
    replace_path(path, |part| {
        let file = File::options().write(true).create(true).truncate(true).open(part)?;
        write(BufWriter::new(file))?.flush()?;
        Ok(())
    })
}

/// Lets `write` fill a file at another path, which then takes the place of `path`. What was there before stays if that
/// fails or the process ends in between. What is no plain file (a pipe, a device) is written to directly; through a link
/// the file that it points to is replaced.
pub(crate) fn replace_path(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if path.exists() && !path.is_file() {
        return write(path);
    }
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // In the same folder, so that it can be moved into place.
    let mut name = OsString::from(format!(".{}-{}.tmp.", std::process::id(), COUNT.fetch_add(1, Relaxed)));
    name.push(path.file_name().filter(|n| n.len() < 200).unwrap_or_default());
    let part = path.with_file_name(name);
    let filled = write(&part).and_then(|()| {
        let file = File::options().write(true).open(&part)?;
        file.sync_all()?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        Ok(fs::rename(&part, path)?)
    });
    if filled.is_err() {
        let _ = fs::remove_file(&part);
    }
    filled
}

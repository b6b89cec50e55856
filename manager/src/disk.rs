//! Writing files so that a crash leaves the old content or the new one, never a mixture.
//!
//! Keeps the rights of a file that was there. Never follows a dangling link.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// The most that is read of a file of another program, in bytes. Some keep their history beside their settings.
const LARGEST: u64 = 64 << 20;

/// Replaces a file's content, or makes the file with the given rights. Folders on the way to it are made.
///
/// # Errors
/// Those of the file system; the file is then as it was.
pub(crate) fn replace(file: &Path, text: &str, fresh_mode: u32) -> io::Result<()> {
    let target = if file.symlink_metadata().is_ok() { file.canonicalize()? } else { file.to_owned() };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder)?;
    let before = target.metadata().ok();
    let mode = before.as_ref().map_or(fresh_mode, |metadata| metadata.mode() & 0o7777);
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
    // Left behind by a crash, or put there by somebody else: either way not to be written into.
    let _ = fs::remove_file(&beside);
    let written = (|| {
        let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        new.write_all(text.as_bytes())?;
        if let Some(metadata) = &before {
            // Only the superuser may give a file away; for all others it is theirs already.
            let _ = chown(&beside, Some(metadata.uid()), Some(metadata.gid()));
        }
        new.set_permissions(Permissions::from_mode(mode))?;
        new.sync_all()?;
        fs::rename(&beside, &target)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(&folder)?.sync_all()
}

/// Reads a text file; none when there is no such file.
///
/// # Errors
/// The file cannot be read, is too large or is not UTF-8.
pub(crate) fn read(file: &Path) -> io::Result<Option<String>> {
    let open = match File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    open.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(text)) }
}

/// A point in time as it stands in the names of copies: `20261121T104500Z`. Names sort by time.
pub(crate) fn stamp(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar. Counts from the first of March
/// of the year 0, so that the leap day is the last day of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + DAYS_BEFORE_1970;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_IN_400_YEARS - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{os::unix::fs::symlink, time::Duration};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_rights() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/down/f");
        let mode = |file: &Path| file.metadata().unwrap().mode() & 0o777;
        replace(&file, "one", 0o640).unwrap();
        assert_eq!((read(&file).unwrap().as_deref(), mode(&file)), (Some("one"), 0o640));
        fs::set_permissions(&file, Permissions::from_mode(0o604)).unwrap();
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        replace(&link, "two", 0o600).unwrap();
        assert_eq!((read(&file).unwrap().as_deref(), mode(&file)), (Some("two"), 0o604));
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        assert!(replace(&folder.path().join("dangling"), "x", 0o600).is_err());
        assert_eq!(read(&folder.path().join("none")).unwrap(), None);
    }

    #[test]
    fn stamps_are_the_calendar_in_utc() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_257_900, "20261121T104500Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}

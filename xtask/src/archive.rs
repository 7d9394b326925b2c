//! The zip that is deployed: the same bytes for the same files, whoever packs them and where.

use std::io::{Cursor, Write as _};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the archive, with `/` between the parts.
    pub(crate) name: String,
    /// Its permissions. Without the executable bit the host cannot start the handler.
    pub(crate) mode: u32,
    /// Its content.
    pub(crate) content: Vec<u8>,
}

/// Packs the entries, sorted by name, without directories of their own.
///
/// Nothing of the machine goes in: the time is the format's first day, and every entry says that
/// it was made on Unix, because an unpacker ignores the permissions otherwise.
///
/// # Errors
///
/// The archive cannot be written, e.g. because two entries have one name.
pub(crate) fn pack(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::DEFAULT)
            .system(System::Unix)
            .unix_permissions(entry.mode);
        archive
            .start_file(entry.name.as_str(), options)
            .and_then(|()| Ok(archive.write_all(&entry.content)?))
            .with_context(|| format!("`{}` cannot be packed", entry.name))?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The SHA-256 of the bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use zip::ZipArchive;

    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |name: &str, mode, content: &[u8]| Entry {
            name: name.to_owned(),
            mode,
            content: content.to_vec(),
        };
        vec![
            entry("host.json", 0o644, b"{}"),
            entry("handler", 0o755, &[7; 5_000]),
            entry("Status/function.json", 0o644, b"{\"bindings\":[]}"),
        ]
    }

    #[test]
    fn every_entry_keeps_its_name_mode_and_content() {
        let mut archive = ZipArchive::new(Cursor::new(pack(&entries()).unwrap())).unwrap();
        let mut found = Vec::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            let mode = file.unix_mode().unwrap() & 0o777;
            found.push(Entry {
                name: file.name().unwrap().into_owned(),
                mode,
                content,
            });
        }
        let mut expected = entries();
        expected.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_order_of_the_entries_and_the_hour_do_not_show() {
        let packed = pack(&entries()).unwrap();
        let reversed: Vec<Entry> = entries().into_iter().rev().collect();
        assert_eq!(packed, pack(&reversed).unwrap());
        let mut archive = ZipArchive::new(Cursor::new(packed)).unwrap();
        for index in 0..archive.len() {
            assert_eq!(
                archive.by_index(index).unwrap().last_modified(),
                Some(DateTime::DEFAULT)
            );
        }
    }

    #[test]
    fn every_entry_says_that_it_was_made_on_unix() {
        let packed = pack(&entries()).unwrap();
        let headers: Vec<usize> = packed
            .windows(4)
            .enumerate()
            .filter_map(|(offset, window)| (window == b"PK\x01\x02").then_some(offset))
            .collect();
        assert_eq!(headers.len(), entries().len());
        // The upper byte of "version made by"; 3 is Unix.
        assert!(headers.iter().all(|offset| packed[offset + 5] == 3));
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let mut twice = entries();
        twice.push(twice[0].clone());
        assert!(pack(&twice).is_err());
    }

    #[test]
    fn the_hash_is_the_one_that_sha256sum_prints() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

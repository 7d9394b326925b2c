//! Just enough randomness for opaque tokens, keys and ids.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A random number from the standard library's hash seeds.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// `bytes` random bytes in hexadecimal.
pub(crate) fn hex(bytes: usize) -> String {
    (0..bytes)
        .map(|_| format!("{:02x}", number() & 0xff))
        .collect()
}

/// Something shaped as a GUID.
pub(crate) fn guid() -> String {
    [4, 2, 2, 2, 6].map(hex).join("-")
}

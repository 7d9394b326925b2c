//! What the commands print. A reader that has gone (`| head`) ends neither a pass nor the program.

use std::io::{ErrorKind, Write as _};

/// Prints a part of the result.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tracing::error!("standard output cannot be written: {error}");
        }
        _ => {}
    }
}

/// Tells something besides the result.
pub(super) fn tell(line: &str) {
    // There is nowhere else to say that this failed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

//! Whether this machine's clock agrees with another's.

use super::finding::{Check, Findings, Remedy};

/// Beyond this somebody should look.
const WARNING_SECONDS: u64 = 60;
/// Beyond this tokens and certificates are judged wrongly: Entra allows five minutes.
const FAILED_SECONDS: u64 = 300;

/// Compares; says nothing where the other told no time.
pub(super) fn examine(
    findings: &mut Findings,
    check: Check,
    whose: &str,
    seconds_ahead: Option<i64>,
) {
    let Some(ahead) = seconds_ahead else { return };
    let apart = ahead.unsigned_abs();
    let subject = "clock";
    if apart <= WARNING_SECONDS {
        findings.ok(
            check,
            subject,
            format!("agrees with {whose}'s to {apart} s"),
        );
        return;
    }
    let side = if ahead > 0 { "behind" } else { "ahead of" };
    let text = format!("this machine's is {apart} s {side} {whose}'s");
    let remedy = Remedy::new(format!(
        "set this machine's clock by the network; if that is right, {whose}'s is wrong:"
    ))
    .paste(["timedatectl set-ntp true", "timedatectl timesync-status"]);
    if apart > FAILED_SECONDS {
        let text =
            format!("{text}; beyond {FAILED_SECONDS} s tokens and certificates are judged wrongly");
        findings.failed(check, subject, text, remedy);
    } else {
        findings.warning(check, subject, text, remedy);
    }
}

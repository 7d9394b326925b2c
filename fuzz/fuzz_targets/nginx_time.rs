#![no_main]

use libfuzzer_sys::fuzz_target;
use nginx_vmss_sync::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::nginx_time(data));

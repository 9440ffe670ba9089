#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Err(failure) = flambeau_fuzz::ops::rows(data) {
        panic!("{failure}");
    }
});

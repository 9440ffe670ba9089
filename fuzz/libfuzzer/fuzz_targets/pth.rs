#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Err(failure) = flambeau_fuzz::files::pth(data) {
        panic!("{failure}");
    }
});

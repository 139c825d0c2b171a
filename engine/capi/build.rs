//! The shared library stays where it is once it is loaded: a helper thread of glommio's may end some milliseconds after the
//! engine that it served, and would run in nothing if the host had unloaded the library meanwhile.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

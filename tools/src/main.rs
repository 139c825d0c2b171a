//! The `ringwire` command.
fn main() {}

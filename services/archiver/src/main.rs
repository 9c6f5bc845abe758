//! The archiver's process.

fn main() {}

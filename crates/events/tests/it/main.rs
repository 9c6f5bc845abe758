//! The wire contract, held from outside: golden fixtures, the committed schemas and what is refused.

mod contract;
mod fixtures;
mod schemas;

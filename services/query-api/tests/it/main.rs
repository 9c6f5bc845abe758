//! The API as its callers see it: an in-process server on a port of its own, over a database of its own.

mod bad_input;
mod games;
mod health;
mod http;
mod openapi;
mod players;
mod seed;
mod server;

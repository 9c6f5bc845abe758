//! The local stack: Apache Kafka, PostgreSQL and, where its profile asks for one, an S3 server, and the services that run against them.
//!
//! A stack is what its profile's folder says it is: `state.json` names the ports that were picked and every process that was
//! started, by pid and birth, so that a recycled pid is never taken for ours. Whoever changes a stack holds the folder's lock;
//! looking needs none. Processes are detached and carry the folder's path in their environment or arguments: what a killed
//! `cargo dx` left behind before it could note it down is found that way by the next `down`.

mod account;
mod build;
mod cache;
mod down;
mod fingerprint;
mod kafka;
mod log;
mod maven;
mod migrate;
mod object_store;
mod ports;
mod postgres;
mod postgres_binaries;
mod process;
mod profile;
mod python;
mod service;
mod state;
mod status;
mod sweep;
mod topic;
mod up;

pub(crate) use build::{binary as service_binary, cargo};
pub(crate) use down::{Args as DownArgs, run as down, stop};
pub(crate) use kafka::{is_downloaded as kafka_is_downloaded, java_version};
pub(crate) use log::{Args as LogsArgs, run as logs};
pub(crate) use migrate::{Args as MigrateArgs, run as migrate};
pub(crate) use object_store::describe as describe_object_store;
pub(crate) use ports::is_free;
pub(crate) use postgres::connect;
pub(crate) use postgres_binaries::{
    describe as describe_postgres, oldest_major as oldest_postgres,
};
pub(crate) use process::{Process, Signal, detached, on_path};
pub(crate) use profile::{Endpoints, Profile, S3, Servers};
pub(crate) use python::{readers, version as python_version};
pub(crate) use service::{Args as RunArgs, archiver_s3, ask_archiver, run};
pub(crate) use state::{Lock, State};
pub(crate) use status::{Args as StatusArgs, run as status};
pub(crate) use topic::{end_offsets, ensure_new as new_topic};
pub(crate) use up::{Args as UpArgs, history, run as up, servers};

/// The parts that are no services: they are stopped last, and `chaos` does not kill them with the others.
const SERVERS: [&str; 3] = [kafka::NAME, postgres::NAME, object_store::NAME];

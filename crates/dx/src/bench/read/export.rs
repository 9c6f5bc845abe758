//! An export of everything, by one client that takes whatever comes, and the memory of the server meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::client::Client;
use crate::bench::usage;

/// What was exported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Export {
    pub(super) games: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
    /// The server's memory before the export.
    pub(super) memory_before_bytes: u64,
    /// The most it ever had.
    pub(super) peak_memory_bytes: u64,
}

impl Export {
    pub(super) fn per_second(&self) -> f64 {
        self.games as f64 / self.took.as_secs_f64().max(1e-3)
    }

    pub(super) fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.took.as_secs_f64().max(1e-3)
    }
}

/// Exports all games as NDJSON from a server that has done nothing else yet.
///
/// # Errors
/// The export breaks off, or a game is missing.
pub(super) async fn everything(
    address: SocketAddr,
    server: u32,
    expected: u64,
) -> anyhow::Result<Export> {
    let memory_before_bytes = usage::peak_memory_bytes(server)?;
    let (mut lines, mut bytes, mut last) = (0_u64, 0_u64, Vec::new());
    let began = Instant::now();
    let status = Client::new(address)
        .get("/v1/games/export?format=ndjson", |piece| {
            bytes += piece.len() as u64;
            lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
            last.extend_from_slice(piece);
            let beyond = last.len().saturating_sub(512);
            last.drain(..beyond);
        })
        .await?;
    let took = began.elapsed();
    ensure!(status == 200, "the export is answered by {status}");
    let tail = String::from_utf8_lossy(&last);
    let end = tail.trim_end().rsplit('\n').next().unwrap_or_default();
    let end: serde_json::Value = serde_json::from_str(end)?;
    ensure!(
        end["type"] == "end",
        "the export has no end: it was cut after {lines} lines"
    );
    let games = end["games"].as_u64().unwrap_or_default();
    ensure!(
        games >= expected && games < lines,
        "{games} games were exported in {lines} lines instead of {expected}"
    );
    Ok(Export {
        games,
        bytes,
        took,
        memory_before_bytes,
        peak_memory_bytes: usage::peak_memory_bytes(server)?,
    })
}

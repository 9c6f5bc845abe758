//! Brings an export to its client: a task reads chunks ahead, and the client takes them in pieces.
//!
//! Whoever reads is one chunk ahead of the client and waits for it, but not for ever: a client that takes nothing for `export_stall` loses its
//! place and its chunk; what is left of it is a connection and a piece or two. An export that ends without its last chunk ends uncleanly.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::Instrument as _;

use super::Export;
use crate::limits::ExportSlot;

/// The client takes no more at a time, so that little lies in buffers that nobody can take back.
const PIECE: usize = 64 * 1024;
/// Pieces on their way.
const AHEAD: usize = 2;
/// How long a broken stream stays open for its last mark.
const FLUSH: Duration = Duration::from_millis(100);

/// Ends a stream uncleanly.
#[derive(Debug, thiserror::Error)]
#[error("the export broke off")]
pub(super) struct Broken;

/// What is on its way.
enum Piece {
    Bytes(Bytes),
    /// Everything is sent. Without it, the sender has gone before its time.
    End,
}

/// The export as a stream of bytes, behind its first chunk.
pub(super) fn deliver(
    first: Option<Bytes>,
    export: Export,
    slot: ExportSlot,
) -> impl Stream<Item = Result<Bytes, Broken>> {
    let (sender, pieces) = mpsc::channel(AHEAD);
    actix_web::rt::spawn(produce(first, export, slot, sender).in_current_span());
    stream::unfold(Some(pieces), next).boxed_local()
}

async fn next(
    pieces: Option<Receiver<Piece>>,
) -> Option<(Result<Bytes, Broken>, Option<Receiver<Piece>>)> {
    let mut pieces = pieces?;
    match pieces.recv().await {
        Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(pieces))),
        Some(Piece::End) => None,
        None => {
            // The mark of the failure shall be on its way before the connection is cut.
            tokio::time::sleep(FLUSH).await;
            Some((Err(Broken), None))
        }
    }
}

/// Reads and sends until the end, a failure, or until the client is gone or takes nothing.
async fn produce(
    first: Option<Bytes>,
    mut export: Export,
    _slot: ExportSlot,
    sender: Sender<Piece>,
) {
    let stall = export.state.limits.exports.stall;
    let mut chunk = first;
    while let Some(bytes) = chunk {
        if !sent(&sender, &bytes, stall).await {
            return;
        }
        chunk = match export.next().await {
            Ok(chunk) => chunk,
            Err(problem) => {
                sent(&sender, &export.failure(&problem), stall).await;
                return;
            }
        };
    }
    // A client that is gone needs no end.
    let _gone = tokio::time::timeout(stall, sender.send(Piece::End)).await;
}

/// Sends a chunk in pieces, each a copy: a slice would keep the whole chunk.
async fn sent(sender: &Sender<Piece>, chunk: &Bytes, stall: Duration) -> bool {
    for piece in chunk.chunks(PIECE) {
        let piece = Piece::Bytes(Bytes::copy_from_slice(piece));
        match tokio::time::timeout(stall, sender.send(piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_gone)) => return false,
            Err(_) => {
                metrics::counter!("requests_shed_total", "cause" => "stalled").increment(1);
                tracing::info!("an export is broken off: its client takes nothing");
                return false;
            }
        }
    }
    true
}

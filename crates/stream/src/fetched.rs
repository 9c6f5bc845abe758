//! Messages as librdkafka holds them: taken out of a partition's queue many at a time, left where they are, and given back when
//! their block is dropped.
//!
//! rust-rdkafka hands messages out one by one, panics on a header whose name is not UTF-8, and ties a message to a borrow of its
//! queue, so that its bytes would have to be copied to leave the poll thread, and its headers parsed although hardly anybody
//! asks for them. So librdkafka is asked directly. With `identity` this is the unsafe code of the project outside its tests.
//!
//! What holds it together: a [`Fetched`] owns its messages and, through their queue, the client that they belong to, and drops
//! the messages first. librdkafka's queues and messages may be used from any thread; only the first question for a message's
//! headers changes something in it, and that is done under a lock.

#![expect(
    unsafe_code,
    reason = "messages are owned and shared across threads, which rust-rdkafka has no safe form of"
)]

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{IsError as _, RDKafkaErrorCode};
use rdkafka_sys as sys;

use crate::context::Context;

/// How many messages are taken at a time.
const AT_ONCE: usize = 256;

/// The queue of one partition, apart from the queue of its member.
pub(crate) struct PartitionQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Keeps the client alive.
    _consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka locks its queues and counts who holds them; the pointer is used for nothing else.
unsafe impl Send for PartitionQueue {}
// SAFETY: as above.
unsafe impl Sync for PartitionQueue {}

impl PartitionQueue {
    /// Takes a partition's records off the member's own queue. None when the name is none, or there is no such partition.
    pub(crate) fn split(
        consumer: &Arc<BaseConsumer<Context>>,
        topic: &str,
        partition: i32,
    ) -> Option<Arc<Self>> {
        let topic = CString::new(topic).ok()?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as `consumer`, of which a handle is kept; the name lives through the call.
        let queue = unsafe { sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        let queue = NonNull::new(queue)?;
        // SAFETY: the queue was made just now; null means that it is forwarded nowhere.
        unsafe { sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        Some(Arc::new(Self {
            queue,
            _consumer: Arc::clone(consumer),
        }))
    }

    /// Takes what waits, up to a few hundred messages, without waiting for more.
    pub(crate) fn take(&self) -> impl Iterator<Item = Message> + use<> {
        let mut taken = [ptr::null_mut(); AT_ONCE];
        // SAFETY: the queue is alive, and there is room for as many messages as are asked for.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, taken.as_mut_ptr(), AT_ONCE)
        };
        let count = usize::try_from(count).unwrap_or_default();
        taken
            .into_iter()
            .take(count)
            .filter_map(NonNull::new)
            .map(Message)
    }
}

impl std::fmt::Debug for PartitionQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionQueue").finish_non_exhaustive()
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: it was counted for this handle when it was made, and is not used after this.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// A message, or an error that came in a message's place.
#[derive(Debug)]
pub(crate) struct Message(NonNull<sys::rd_kafka_message_t>);

// SAFETY: a message is plain memory whose shared parts librdkafka counts atomically. It is changed after it was taken only by
// the first question for its headers, which goes through a lock.
unsafe impl Send for Message {}
// SAFETY: as above.
unsafe impl Sync for Message {}

impl Message {
    fn fields(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the message is alive until it is dropped, and nobody changes these fields: parsed headers stand beside them.
        unsafe { self.0.as_ref() }
    }

    /// What it says instead of a record.
    pub(crate) fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.fields().err;
        code.is_error().then(|| code.into())
    }

    pub(crate) fn offset(&self) -> i64 {
        self.fields().offset
    }

    pub(crate) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and so is the place for the kind.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &raw mut kind) };
        let has_one = kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (has_one && ms >= 0).then_some(ms)
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        // SAFETY: librdkafka's pointer and length, null for none.
        unsafe { bytes(self.fields().key, self.fields().key_len) }
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: librdkafka's pointer and length, null for none.
        unsafe { bytes(self.fields().payload, self.fields().len) }
    }

    /// Its headers, which the first time parses. Ask through [`Fetched::headers`] once others may ask too.
    fn headers(&self) -> MessageHeaders<'_> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive, and whoever asks holds the lock of its block, because the first time parses.
        let found = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &raw mut headers) };
        MessageHeaders {
            headers: NonNull::new(headers).filter(|_| !found.is_error()),
            next: 0,
            message: PhantomData,
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it was given to this handle alone, and is not used after this.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

/// # Safety
/// `start` is null or the beginning of `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(start: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's word.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast(), len) })
}

/// The headers of a message in order: a name, whatever its bytes are, and a value that may be null.
#[derive(Debug, Clone)]
pub(crate) struct MessageHeaders<'a> {
    headers: Option<NonNull<sys::rd_kafka_headers_t>>,
    next: usize,
    message: PhantomData<&'a Message>,
}

impl<'a> Iterator for MessageHeaders<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let headers = self.headers?;
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: once parsed, headers are not changed and live as long as their message.
        let got = unsafe {
            sys::rd_kafka_header_get_all(
                headers.as_ptr(),
                self.next,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if got.is_error() || name.is_null() {
            return None;
        }
        self.next += 1;
        // SAFETY: a name ends with NUL, a value has the length given, and both live as long as the message.
        Some(unsafe { (CStr::from_ptr(name).to_bytes(), bytes(value, size)) })
    }
}

/// Messages of one partition, and what they must not outlive.
#[derive(Debug)]
pub(crate) struct Fetched {
    // Declared first, so that they are dropped first.
    messages: Vec<Message>,
    /// Held while headers are asked for.
    parsing: Mutex<()>,
    _queue: Arc<PartitionQueue>,
}

impl Fetched {
    /// `messages` were taken from `queue`, or from another queue of the same client.
    pub(crate) fn new(messages: Vec<Message>, queue: Arc<PartitionQueue>) -> Self {
        Self {
            messages,
            parsing: Mutex::new(()),
            _queue: queue,
        }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The headers of the message at `index`.
    pub(crate) fn headers(&self, index: usize) -> MessageHeaders<'_> {
        // The lock guards nothing that a panic could leave half done.
        let _parsing = self.parsing.lock().unwrap_or_else(PoisonError::into_inner);
        self.messages[index].headers()
    }
}

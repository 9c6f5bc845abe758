//! Sends what no well-behaved producer would: header names that are not text. The safe producer can't.

#![expect(unsafe_code, reason = "librdkafka is asked directly")]

use std::ptr;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys as sys;
use sys::rd_kafka_vtype_t as Kind;

/// A header: its name's bytes and its value.
pub(crate) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record to send.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [Header<'a>],
}

pub(crate) struct Sender(BaseProducer);

impl Sender {
    pub(crate) fn to(brokers: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        Self(config.create().unwrap())
    }

    /// Sends records to the first partition and waits until they stand.
    pub(crate) fn send(&self, topic: &str, records: &[Sent<'_>]) {
        let topic = std::ffi::CString::new(topic).unwrap();
        for record in records {
            // SAFETY: everything that is pointed to lives through the call, which copies it (`F_COPY`) and takes the headers over.
            let error = unsafe {
                let headers = sys::rd_kafka_headers_new(record.headers.len());
                for (name, value) in record.headers {
                    let (value, len) = bytes(*value);
                    let name_len = isize::try_from(name.len()).unwrap();
                    let len = isize::try_from(len).unwrap();
                    sys::rd_kafka_header_add(headers, name.as_ptr().cast(), name_len, value, len);
                }
                let memory = |part: Option<&[u8]>| {
                    let (start, size) = bytes(part);
                    sys::rd_kafka_vu_s__bindgen_ty_1 {
                        mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                            ptr: start.cast_mut(),
                            size,
                        },
                    }
                };
                type Value = sys::rd_kafka_vu_s__bindgen_ty_1;
                let parts = [
                    (
                        Kind::RD_KAFKA_VTYPE_TOPIC,
                        Value {
                            cstr: topic.as_ptr(),
                        },
                    ),
                    (Kind::RD_KAFKA_VTYPE_PARTITION, Value { i32_: 0 }),
                    (Kind::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: 2 }),
                    (Kind::RD_KAFKA_VTYPE_KEY, memory(record.key)),
                    (Kind::RD_KAFKA_VTYPE_VALUE, memory(record.value)),
                    (Kind::RD_KAFKA_VTYPE_HEADERS, Value { headers }),
                ]
                .map(|(vtype, u)| sys::rd_kafka_vu_s { vtype, u });
                let client = self.0.client().native_ptr();
                sys::rd_kafka_produceva(client, parts.as_ptr(), parts.len())
            };
            assert!(error.is_null(), "a record was refused");
        }
        self.0.flush(Duration::from_secs(20)).unwrap();
    }
}

fn bytes(part: Option<&[u8]>) -> (*const std::ffi::c_void, usize) {
    // An empty text has a place too: a null would be no text at all.
    part.map_or((ptr::null(), 0), |part| (part.as_ptr().cast(), part.len()))
}

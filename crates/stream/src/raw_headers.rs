//! The headers of a record, whatever bytes their names hold.
//!
//! rust-rdkafka 0.39 panics on a header whose name is not UTF-8, and names are untrusted: librdkafka is asked directly. With
//! `identity` this is the unsafe code of the project.

use std::ffi::CStr;
use std::ptr;

use rdkafka::message::BorrowedMessage;
use rdkafka_sys as sys;

/// Calls `take` with each header's name and value, in record order.
#[expect(
    unsafe_code,
    reason = "the safe accessor panics on names that are not UTF-8"
)]
pub(crate) fn for_each(message: &BorrowedMessage<'_>, mut take: impl FnMut(&[u8], Option<&[u8]>)) {
    let mut headers = ptr::null_mut();
    // SAFETY: the message is alive for the whole call, and librdkafka keeps its headers, their names (NUL-terminated) and values
    // (of the length given) as long as the message. Nothing borrowed leaves `take`. Null results are checked before use.
    unsafe {
        let found = sys::rd_kafka_message_headers(message.ptr(), &raw mut headers);
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
            return;
        }
        for index in 0..sys::rd_kafka_header_cnt(headers) {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            let got = sys::rd_kafka_header_get_all(
                headers,
                index,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            );
            if got != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                return;
            }
            let value =
                (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            take(CStr::from_ptr(name).to_bytes(), value);
        }
    }
}

//! Which TCP ports a stack listens on. Preferred ones come from the profile or from its name; a taken one is stepped over.
//!
//! Derived ports lie in 20000–29999, below the range that Linux hands out to outgoing connections, ten for each name.

use std::net::{Ipv4Addr, TcpListener};

use serde::{Deserialize, Serialize};

use super::fingerprint::fingerprint;

/// One port for each part, all on 127.0.0.1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ports {
    pub(crate) kafka: u16,
    pub(crate) kafka_controller: u16,
    pub(crate) postgres: u16,
    /// Of the first query-api; instance N prefers the (N − 1)th after it.
    pub(crate) query_api: u16,
    /// Health listener of the first ingestor; instance N prefers the (N − 1)th after it.
    pub(crate) ingestor: u16,
    /// Health listener of the first archiver; instance N prefers the (N − 1)th after it.
    pub(crate) archiver: u16,
    /// The S3 server, where the profile asks for one.
    pub(crate) object_store: u16,
}

impl Ports {
    /// The ports a profile of this name prefers when its file names none.
    pub(crate) fn derived(profile: &str) -> Self {
        let block = (fingerprint(profile.as_bytes()) % 1_000) as u16;
        let base = 20_000 + block * 10;
        Self {
            kafka: base,
            kafka_controller: base + 1,
            postgres: base + 2,
            query_api: base + 3,
            ingestor: base + 5,
            archiver: base + 7,
            object_store: base + 9,
        }
    }

    /// These ports, with those that an older state did not know from `preferred`.
    #[must_use]
    pub(super) fn or(self, preferred: &Self) -> Self {
        let or = |port, preferred| if port == 0 { preferred } else { port };
        Self {
            kafka: or(self.kafka, preferred.kafka),
            kafka_controller: or(self.kafka_controller, preferred.kafka_controller),
            postgres: or(self.postgres, preferred.postgres),
            query_api: or(self.query_api, preferred.query_api),
            ingestor: or(self.ingestor, preferred.ingestor),
            archiver: or(self.archiver, preferred.archiver),
            object_store: or(self.object_store, preferred.object_store),
        }
    }

    /// The ports with what they are for.
    pub(crate) fn named(&self) -> [(&'static str, u16); 7] {
        [
            ("kafka", self.kafka),
            ("kafka controller", self.kafka_controller),
            ("postgres", self.postgres),
            ("query-api", self.query_api),
            ("ingestor health", self.ingestor),
            ("archiver health", self.archiver),
            ("object store", self.object_store),
        ]
    }
}

/// Whether something can listen on this port of the loopback address now.
pub(crate) fn is_free(port: u16) -> bool {
    // Both addresses: a listener on 0.0.0.0 leaves 127.0.0.1 bindable on some systems, and a client would reach the wrong one.
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// `preferred` when it is free and not among `taken`, else the nearest one above that is.
///
/// # Errors
/// No free port up to 65535.
pub(super) fn pick(preferred: u16, taken: &[u16]) -> anyhow::Result<u16> {
    (preferred..=u16::MAX)
        .find(|port| !taken.contains(port) && is_free(*port))
        .ok_or_else(|| anyhow::anyhow!("no free port from {preferred} up"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{Ports, pick};

    #[test]
    fn a_name_always_derives_the_same_ports_and_another_name_others() {
        assert_eq!(Ports::derived("mine"), Ports::derived("mine"));
        assert_ne!(Ports::derived("mine"), Ports::derived("yours"));
    }

    #[test]
    fn a_taken_port_is_stepped_over() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let held = holder.local_addr().unwrap().port();
        let picked = pick(held, &[]).unwrap();
        assert!(picked > held);
    }

    #[test]
    fn a_port_promised_to_another_part_is_stepped_over() {
        let free = pick(24_000, &[]).unwrap();
        assert_ne!(pick(free, &[free]).unwrap(), free);
    }
}

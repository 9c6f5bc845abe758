//! The address of a client, in the form that limits count by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::http::header::HeaderMap;

use crate::config::ClientAddressConfig;

/// The client's address: the one that the trusted proxy wrote, else the connection's other end. Of IPv6 the network alone (`/64`), within
/// which a client may call itself what it likes.
pub(super) fn of(
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    proxied: Option<&ClientAddressConfig>,
) -> IpAddr {
    let written = proxied.and_then(|config| written(headers, config));
    // A listener on a socket without addresses has no peer; all of its callers are then one.
    let address = written.or(peer).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// What the first of the trusted proxies wrote: so many entries from the end. What stands before is the client's own word.
fn written(headers: &HeaderMap, config: &ClientAddressConfig) -> Option<IpAddr> {
    let lines = headers.get_all(config.header.as_str());
    let entries: Vec<&str> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    let entry = entries.len().checked_sub(config.proxies)?;
    parsed(entries[entry])
}

/// An address, with or without a port.
fn parsed(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn address(lines: &[&str], proxies: Option<usize>) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static("x-forwarded-for");
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        let config = proxies.map(|proxies| ClientAddressConfig {
            header: "X-Forwarded-For".to_owned(),
            proxies,
        });
        of(&headers, "10.0.0.1".parse().ok(), config.as_ref()).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        for (lines, proxies, expected) in [
            (vec!["1.1.1.1"], None, "10.0.0.1"),
            (vec!["1.1.1.1"], Some(1), "1.1.1.1"),
            (vec!["9.9.9.9, 1.1.1.1"], Some(1), "1.1.1.1"),
            (vec!["9.9.9.9", "1.1.1.1"], Some(1), "1.1.1.1"),
            (vec!["9.9.9.9, 1.1.1.1, 2.2.2.2"], Some(2), "1.1.1.1"),
            (vec!["1.1.1.1"], Some(2), "10.0.0.1"),
            (vec!["nonsense"], Some(1), "10.0.0.1"),
            (vec![], Some(1), "10.0.0.1"),
            (vec!["1.1.1.1:4711"], Some(1), "1.1.1.1"),
            (
                vec!["[2001:db8:1:2:3:4:5:6]:443"],
                Some(1),
                "2001:db8:1:2::",
            ),
            (vec!["2001:db8:1:2:ffff::1"], Some(1), "2001:db8:1:2::"),
            (vec!["::ffff:1.1.1.1"], Some(1), "1.1.1.1"),
        ] {
            assert_eq!(address(&lines, proxies), expected, "{lines:?} {proxies:?}");
        }
    }
}

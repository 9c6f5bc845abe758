//! One way to a database session, for the pool, the ingestor's own session and the migrations alike.
//!
//! TLS: rustls with aws-lc-rs. `sslmode=disable` never uses it, `prefer` (the default) does unless every host is loopback or
//! a socket, `require` and stricter always do. Where TLS is used the certificate and its name are always verified.
//!
//! The driver's task runs on the runtime that called [`establish`] and ends with the connection. Its errors reach whoever
//! waits for a statement.
//!
//! Two kinds of session. A writer's plans each statement for its values. A reader's plans each statement once, for any values,
//! and walks indexes only: over 60 monthly partitions planning a page costs 6 ms and running it 0.2 ms, and a plan made for
//! the average player must not sort the games of one who has 100,000.

use std::net::IpAddr;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres::NoTls;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{ConnectFailure, with_causes};
use crate::{DatabaseConfig, StoreError};

/// `MERGE` is newer than what came before.
const OLDEST_MAJOR: u32 = 15;
/// A generic plan over a partitioned table would lock every partition of it.
const WRITER_SETTINGS: &str = "-c plan_cache_mode=force_custom_plan";
/// A plan may be made while a table is still empty, and must hold when it is full: no look through a whole table.
/// The refused paths are priced out of reach rather than forbidden, which would start the compiler (`jit`) if it were let.
/// Memory for the opponents of a player who has tens of thousands: they are summed up in one go instead of by files.
const READER_SETTINGS: &str = "-c default_transaction_read_only=on -c plan_cache_mode=force_generic_plan \
     -c enable_seqscan=off -c enable_sort=off -c enable_bitmapscan=off -c jit=off -c work_mem=16MB";

/// A session, for those who hand one on.
pub type Session = AsyncPgConnection;

/// Connects, with the configuration's timeouts set on the session.
///
/// # Errors
/// [`StoreError::Url`], [`StoreError::Certificates`] or [`StoreError::Connect`].
pub async fn establish(config: &DatabaseConfig) -> Result<AsyncPgConnection, StoreError> {
    connect(config, WRITER_SETTINGS).await
}

/// Connects for reading: the session refuses to write and walks indexes only.
///
/// # Errors
/// Like [`establish`].
pub async fn establish_reader(config: &DatabaseConfig) -> Result<AsyncPgConnection, StoreError> {
    connect(config, READER_SETTINGS).await
}

async fn connect(config: &DatabaseConfig, settings: &str) -> Result<AsyncPgConnection, StoreError> {
    let postgres = session_config(config, settings)?;
    let refused = |reason: String| StoreError::Connect {
        target: target(&postgres),
        source: ConnectFailure(reason),
    };
    let failed = |error: &dyn std::error::Error| refused(with_causes(error));
    // Names resolve outside `connect_timeout`, and a server may accept and never answer: bound the whole.
    let hosts = u32::try_from(postgres.get_hosts().len().max(1)).unwrap_or(1);
    let limit = config.connect_timeout * hosts;
    let connecting = async {
        if uses_tls(&postgres) {
            let tls = MakeRustlsConnect::new(tls_config(config)?);
            let (client, driver) = postgres.connect(tls).await.map_err(|e| failed(&e))?;
            check_version(driver.parameter("server_version")).map_err(refused)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        } else {
            let (client, driver) = postgres.connect(NoTls).await.map_err(|e| failed(&e))?;
            check_version(driver.parameter("server_version")).map_err(refused)?;
            AsyncPgConnection::try_from_client_and_connection(client, driver).await
        }
        .map_err(|e| failed(&e))
    };
    match tokio::time::timeout(limit, connecting).await {
        Ok(outcome) => outcome,
        Err(_) => Err(refused(format!("no answer within {limit:?}"))),
    }
}

/// Refuses a server that is too old by what it says of itself, such as `15.4 (Debian 15.4-1)`. One that says nothing or something
/// else, as a proxy may, is taken.
fn check_version(said: Option<&str>) -> Result<(), String> {
    let major = said.and_then(|said| said.split(|c: char| !c.is_ascii_digit()).next());
    match (said, major.and_then(|major| major.parse::<u32>().ok())) {
        (Some(said), Some(major)) if major < OLDEST_MAJOR => Err(format!(
            "the server is PostgreSQL {said}, and {OLDEST_MAJOR} or newer is needed"
        )),
        _ => Ok(()),
    }
}

/// The driver's configuration: the URL's, with our timeouts where the URL gives none.
fn session_config(
    config: &DatabaseConfig,
    settings: &str,
) -> Result<tokio_postgres::Config, StoreError> {
    let mut postgres = config.parse_url()?;
    if postgres.get_application_name().is_none() {
        let name = config.application_name.as_deref();
        postgres.application_name(name.unwrap_or("game-history"));
    }
    if postgres.get_connect_timeout().is_none() {
        postgres.connect_timeout(config.connect_timeout);
    }
    postgres
        .keepalives(true)
        .keepalives_idle(config.keepalive_idle)
        .keepalives_interval(config.keepalive_idle / 2)
        .keepalives_retries(3)
        .tcp_user_timeout(config.tcp_user_timeout);
    let ours = format!(
        "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} {settings}",
        config.statement_timeout.as_millis(),
        config.lock_timeout.as_millis(),
        config.idle_in_transaction_timeout.as_millis(),
    );
    // The later one wins, so what the URL sets stays set.
    let options = match postgres.get_options() {
        Some(theirs) => format!("{ours} {theirs}"),
        None => ours,
    };
    postgres.options(options);
    Ok(postgres)
}

fn uses_tls(postgres: &tokio_postgres::Config) -> bool {
    match postgres.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Prefer => !postgres.get_hosts().iter().all(is_local),
        _ => true,
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn tls_config(config: &DatabaseConfig) -> Result<rustls::ClientConfig, StoreError> {
    let fault = |reason: String| StoreError::Certificates { reason };
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = &config.ca_file {
        let pem = CertificateDer::pem_file_iter(path)
            .map_err(|e| fault(format!("{}: {e}", path.display())))?;
        for certificate in pem {
            let certificate = certificate.map_err(|e| fault(format!("{}: {e}", path.display())))?;
            roots
                .add(certificate)
                .map_err(|e| fault(format!("{}: {e}", path.display())))?;
        }
    } else {
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::debug!(%error, "a system certificate can't be read");
        }
        roots.add_parsable_certificates(native.certs);
    }
    if roots.is_empty() {
        return Err(fault("none found; name a PEM file in ca_file".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| fault(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Hosts, ports, database and user in one line.
pub(crate) fn target(postgres: &tokio_postgres::Config) -> String {
    let ports = postgres.get_ports();
    let hosts: Vec<String> = postgres
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(i, host)| {
            // One port stands for every host, as the driver reads it.
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    let user = postgres.get_user().unwrap_or("the current user");
    let database = postgres.get_dbname().unwrap_or(user);
    format!("{}/{database} as {user}", hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls_for(url: &str) -> bool {
        uses_tls(&DatabaseConfig::new(url).parse_url().unwrap())
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_and_told_so() {
        for said in [
            None,
            Some("15.18 (Debian 15.18-0)"),
            Some("18beta1"),
            Some("?"),
        ] {
            assert_eq!(check_version(said), Ok(()));
        }
        let told = check_version(Some("14.20")).unwrap_err();
        assert_eq!(
            told,
            "the server is PostgreSQL 14.20, and 15 or newer is needed"
        );
    }

    #[test]
    fn loopback_and_sockets_go_without_tls_unless_it_is_required() {
        for url in [
            "postgres://u@localhost/db",
            "postgres://u@127.0.0.1/db",
            "postgres://u@%2Frun%2Fpostgresql/db",
            "postgres://u@db.example/db?sslmode=disable",
        ] {
            assert!(!tls_for(url), "{url}");
        }
        for url in [
            "postgres://u@db.example/db",
            "postgres://u@localhost,db.example/db",
            "postgres://u@localhost/db?sslmode=require",
            "postgres://u@localhost/db?sslmode=verify-full",
        ] {
            assert!(tls_for(url), "{url}");
        }
    }

    #[test]
    fn what_the_url_sets_is_kept() {
        let config = DatabaseConfig::new(
            "postgres://u@h/db?application_name=mine&options=-c%20statement_timeout%3D7",
        );
        let session = session_config(&config, WRITER_SETTINGS).unwrap();
        assert_eq!(session.get_application_name(), Some("mine"));
        let options = session.get_options().unwrap();
        assert!(options.ends_with("-c statement_timeout=7"), "{options}");
        assert!(options.contains("lock_timeout=10000"), "{options}");
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_target_and_no_password() {
        let config = DatabaseConfig::new("postgres://reader:hunter2@127.0.0.1:1/history");
        let error = establish(&config).await.err().unwrap();
        assert!(error.is_connection());
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1/history as reader"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

//! Tokens as an issuer makes them, and an issuer that publishes its keys. Keys are made anew by every test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

pub(crate) const SECRET: &str = "a secret for tests of 32 bytes or more";

/// Claims that are good for everything that these scopes allow.
pub(crate) fn claims(scope: &str) -> Value {
    let now = Utc::now().timestamp();
    json!({"iss": "https://id.test", "aud": "game-history", "sub": "u-1", "exp": now + 60, "scope": scope})
}

/// A token signed with a secret.
pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// One of an issuer's keys.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) private: EncodingKey,
}

impl Key {
    pub(crate) fn rsa(id: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
        }
    }

    pub(crate) fn ec(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::ES256,
            private: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()),
        }
    }

    /// A token that names this key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }

    /// Its public half.
    pub(crate) fn public(&self) -> Jwk {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        jwk
    }
}

/// An issuer on a port of its own. It is there for as long as the test.
#[derive(Clone, Default)]
pub(crate) struct Issuer {
    /// What it publishes; `None` while it is out of order.
    set: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
    pub(crate) url: String,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let issuer = Self {
            url,
            ..Self::default()
        };
        let answers = issuer.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _sent = stream.read(&mut request).await;
                answers.asked.fetch_add(1, Ordering::SeqCst);
                let set = answers.set.lock().unwrap().clone();
                let (status, body) = match set {
                    Some(set) => ("200 OK", set),
                    None => ("500 Internal Server Error", String::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _sent = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Jwk> = keys.iter().map(|key| key.public()).collect();
        *self.set.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

//! Certificates and keys in files, and what is said about those that are not good.

mod pair;
mod peer;

use std::fs;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::thread;

use pair::Pair;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, SecretDocument};
use sanserve::{HTTPSServer, NoFiles, Tls};
use sanserve_core::{Config, Files};

#[test]
fn an_encrypted_key_wants_its_password() {
    let pair = Pair::new();
    let ways = [
        Parameters::generate_pbkdf2_sha256_aes256cbc(2048, &[7; 16], [9; 16]).unwrap(),
        Parameters::generate_pbkdf2_sha256_aes128cbc(2048, &[7; 8], [9; 16]).unwrap(),
    ];
    for way in ways {
        let data = way.encrypt("secret", &pair.key).unwrap();
        let info = EncryptedPrivateKeyInfoRef {
            encryption_algorithm: way.into(),
            encrypted_data: OctetStringRef::new(&data).unwrap(),
        };
        let document = SecretDocument::try_from(&info).unwrap();
        let pem = document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF);
        fs::write(pair.file("secret.pem"), pem.unwrap()).unwrap();
        let tls = pair.load("secret.pem", Some("secret")).unwrap();
        let server = HTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), tls).unwrap();
        let server = server.log(|_| ());
        let mut stream = pair.connect(server.server_address());
        let client = thread::spawn(move || {
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new())
        });
        server.handle_request(&NoFiles, Config::default(), Files::new);
        assert!(client.join().unwrap().unwrap() > 0);
        for (password, words) in [
            (Some("wrong"), "password is wrong"),
            (None, "needs a password"),
        ] {
            let error = pair.load("secret.pem", password).unwrap_err();
            assert!(
                error.contains("secret.pem") && error.contains(words),
                "{error}"
            );
        }
    }
    // A password too much does no harm, and both may stand in one file.
    pair.load("key.pem", Some("secret")).unwrap();
    let both = [pair.file("cert.pem"), pair.file("key.pem")].map(|file| fs::read(file).unwrap());
    fs::write(pair.file("both.pem"), both.concat()).unwrap();
    Tls::load(pair.file("both.pem"), None, None).unwrap();
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let (pair, other) = (Pair::new(), Pair::new());
    let text = |name, text: &str| fs::write(pair.file(name), text).unwrap();
    text(
        "old.pem",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n",
    );
    text("cut.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    text(
        "cut-secret.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n",
    );
    fs::copy(other.file("key.pem"), pair.file("other.pem")).unwrap();
    let keys = [
        ("nope.pem", "there is no file"),
        ("old.pem", "convert it by: openssl pkey"),
        ("cut.pem", "is not a good PEM file"),
        ("cut-secret.pem", "has a damaged key"),
        ("cert.pem", "has no private key in it"),
        ("other.pem", "is not that of the certificate in"),
    ];
    for (name, words) in keys {
        let error = pair.load(name, Some("secret")).unwrap_err();
        assert!(error.contains(name) && error.contains(words), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    text(
        "damaged.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    for (name, words) in [
        ("nope.pem", "there is no file"),
        ("key.pem", "has no certificate in it"),
        ("damaged.pem", "has a damaged certificate"),
    ] {
        let error = Tls::load(pair.file(name), Some(pair.file("key.pem")), None).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
}

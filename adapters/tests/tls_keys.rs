//! Tests certificates and keys in files: the formats that `Tls` reads, and its errors for all others.

mod certificate;
mod client;

use std::fs;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use certificate::TestCertificate;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, SecretDocument};
use sanserve_core::{Config, Files};
use sanserve_server::{HTTPSServer, NoFiles, Tls};

#[test]
fn an_encrypted_key_needs_its_password() {
    let certificate = TestCertificate::new();
    let algorithms = [
        Parameters::generate_pbkdf2_sha256_aes256cbc(2048, &[7; 16], [9; 16]).unwrap(),
        Parameters::generate_pbkdf2_sha256_aes128cbc(2048, &[7; 8], [9; 16]).unwrap(),
    ];
    for algorithm in algorithms {
        let data = algorithm.encrypt("secret", &certificate.key).unwrap();
        let info = EncryptedPrivateKeyInfoRef {
            encryption_algorithm: algorithm.into(),
            encrypted_data: OctetStringRef::new(&data).unwrap(),
        };
        let document = SecretDocument::try_from(&info).unwrap();
        let pem = document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF);
        fs::write(certificate.file("secret.pem"), pem.unwrap()).unwrap();
        let tls = certificate.load("secret.pem", Some("secret")).unwrap();
        let server = HTTPSServer::bind((Ipv4Addr::LOCALHOST, 0), tls).unwrap();
        let server = server.with_log(|_| ());
        let mut stream = certificate.connect(server.server_address());
        let client = thread::spawn(move || {
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new())
        });
        server.handle_request(NoFiles, Config::default(), Files::new);
        assert!(client.join().unwrap().unwrap() > 0);
        for (password, message) in [
            (Some("wrong"), "password is wrong"),
            (None, "has an encrypted key: give its password"),
        ] {
            let error = certificate.load("secret.pem", password).unwrap_err();
            assert!(
                error.contains("secret.pem") && error.contains(message),
                "{error}"
            );
        }
    }
    // A needless password does no harm, and one file may contain both.
    certificate.load("key.pem", Some("secret")).unwrap();
    let both = [certificate.file("cert.pem"), certificate.file("key.pem")]
        .map(|file| fs::read(file).unwrap());
    fs::write(certificate.file("both.pem"), both.concat()).unwrap();
    Tls::load(certificate.file("both.pem"), None, None).unwrap();
}

#[test]
fn an_error_names_the_file_and_its_problem() {
    let (certificate, other) = (TestCertificate::new(), TestCertificate::new());
    let write = |name, text: &str| fs::write(certificate.file(name), text).unwrap();
    write(
        "old.pem",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n",
    );
    write("cut.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    write(
        "cut-secret.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n",
    );
    fs::copy(other.file("key.pem"), certificate.file("other.pem")).unwrap();
    let keys = [
        ("nope.pem", "there is no file"),
        ("old.pem", "convert it with: openssl pkey"),
        (
            "cut.pem",
            "is cut off: its PRIVATE KEY section has no line -----END PRIVATE KEY-----: copy",
        ),
        (
            "cut-secret.pem",
            "is cut off: its ENCRYPTED PRIVATE KEY section has no line",
        ),
        ("cert.pem", "contains no private key"),
        ("other.pem", "is not that of the certificate in"),
    ];
    for (name, message) in keys {
        let error = certificate.load(name, Some("secret")).unwrap_err();
        assert!(error.contains(name) && error.contains(message), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    write(
        "damaged.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    for (name, message) in [
        ("nope.pem", "there is no file"),
        ("key.pem", "contains no certificate"),
        ("damaged.pem", "has a damaged CERTIFICATE section: copy"),
    ] {
        let loaded = Tls::load(
            certificate.file(name),
            Some(certificate.file("key.pem")),
            None,
        );
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(message), "{error}");
    }
}

#[test]
fn an_error_names_a_broken_section_without_quoting_it() {
    let certificate = TestCertificate::new();
    let read = |name: &str| fs::read_to_string(certificate.file(name)).unwrap();
    let (cert, key) = (read("cert.pem"), read("key.pem"));
    // A part of the key, which must not get into the log.
    let secret = &key.lines().nth(1).unwrap()[..20];
    let cut = |pem: &str| pem[..pem.len() / 2].to_owned();
    let changed = |pem: &str| pem.replacen(&pem[40..43], "!?_", 1);
    let is_cut_off =
        |label| format!("is cut off: its {label} section has no line -----END {label}-----");
    let is_not_base64 = |label| format!("has a damaged {label} section, which is not Base64");
    let has_broken_begin = || "has a broken line '-----BEGIN ...-----'".to_owned();
    let keys = [
        (cut(&key), is_cut_off("PRIVATE KEY")),
        (changed(&key), is_not_base64("PRIVATE KEY")),
        (key.replace('\n', ""), has_broken_begin()),
        (key.replace("KEY-----\n", "KEY----\n"), has_broken_begin()),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into(),
            "has a damaged PRIVATE KEY section: copy".into(),
        ),
    ];
    let certificates = [
        (cut(&cert), is_cut_off("CERTIFICATE")),
        (cut(&cert) + "\n" + &key, is_cut_off("CERTIFICATE")),
        (cert.clone() + &cut(&key), is_cut_off("PRIVATE KEY")),
        (changed(&cert), is_not_base64("CERTIFICATE")),
        (cert.clone() + &changed(&key), is_not_base64("PRIVATE KEY")),
    ];
    let keys = keys.map(|case| (case, "cert.pem", "broken.pem"));
    let certificates = certificates.map(|case| (case, "broken.pem", "key.pem"));
    for ((pem, message), certfile, keyfile) in keys.into_iter().chain(certificates) {
        fs::write(certificate.file("broken.pem"), &pem).unwrap();
        let loaded = Tls::load(
            certificate.file(certfile),
            Some(certificate.file(keyfile)),
            None,
        );
        let error = loaded.unwrap_err().to_string();
        assert!(
            error.contains(&format!("broken.pem {message}")),
            "{error}, not: {message}"
        );
        assert!(!error.contains(secret) && !error.contains('['), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// Runs a shell script that makes keys and certificates in this folder. Returns `false` if OpenSSL is not installed.
fn openssl(folder: &Path, script: &str) -> bool {
    let found = Command::new("openssl").arg("version").output();
    if found.is_err() {
        eprintln!("skipped: openssl is not installed");
        return false;
    }
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(folder);
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {stderr}");
    true
}

/// Types of keys that OpenSSL makes, with the error for each, or an empty text for those that are supported.
const KEYS: &[(&str, &str)] = &[
    ("EC -pkeyopt ec_paramgen_curve:P-256", ""),
    ("EC -pkeyopt ec_paramgen_curve:P-384", ""),
    ("ed25519", ""),
    ("RSA -pkeyopt rsa_keygen_bits:2048", ""),
    (
        "RSA -pkeyopt rsa_keygen_bits:1024",
        "an RSA key of 1024 bits",
    ),
    // Five primes, because with two the generation is slow.
    (
        "RSA -pkeyopt rsa_keygen_bits:8192 -pkeyopt rsa_keygen_primes:5",
        "an RSA key of 8192 bits",
    ),
    ("RSA-PSS", "a key for RSA-PSS only"),
    (
        "EC -pkeyopt ec_paramgen_curve:P-521",
        "an ECDSA key on P-521",
    ),
    (
        "EC -pkeyopt ec_paramgen_curve:secp256k1",
        "an ECDSA key on secp256k1",
    ),
    (
        "EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        "an ECDSA key with explicit parameters",
    ),
    ("ed448", "an Ed448 key"),
];

#[test]
fn an_unsupported_key_is_named_together_with_the_supported_ones() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (kind, message)) in KEYS.iter().enumerate() {
        let script = format!(
            "openssl genpkey -algorithm {kind} -out {number}.key
             openssl req -x509 -new -key {number}.key -out {number}.crt -subj /CN=localhost"
        );
        if !openssl(folder.path(), &script) {
            return;
        }
        let file = |extension| folder.path().join(format!("{number}.{extension}"));
        let loaded = Tls::load(file("crt"), Some(file("key")), None);
        match loaded.map_err(|error| error.to_string()) {
            Ok(_) => assert_eq!(*message, "", "{kind}"),
            Err(error) => {
                let is_expected =
                    !message.is_empty() && error.contains(&format!(".key has {message}"));
                assert!(
                    is_expected && error.contains("use RSA of 2048 to 4096 bits"),
                    "{error}"
                );
            }
        }
    }
}

/// Files as OpenSSL, Windows and others write them: either they are read, or the error says how to convert them.
#[test]
fn other_file_formats_are_read_or_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
        openssl ecparam -name prime256v1 -genkey -out key
        openssl req -x509 -new -key key -out crt -subj /CN=localhost
        openssl req -new -key key -out request -subj /CN=localhost
        openssl x509 -req -in request -key key -out v1.crt
        openssl x509 -in crt -trustout -out trusted.crt
        openssl x509 -in crt -outform DER -out der.crt
        openssl crl2pkcs7 -nocrl -certfile crt -out pkcs7.crt
        openssl pkcs12 -export -in crt -inkey key -passout pass: -out pkcs12
        openssl pkey -in key -outform DER -out der.key
        openssl pkey -in key -pubout -out public.key
        openssl pkcs8 -topk8 -in key -passout pass:a -outform DER -out secret-der.key
        openssl ecparam -name secp521r1 -genkey -noout -out sec1.key
        openssl dsaparam -out dsa 1024
        openssl gendsa -out dsa.key dsa
        openssl dsa -in dsa.key -traditional -out dsa.key || true
        for file in key crt; do
            (printf '\\357\\273\\277'; cat $file) >bom.$file
            (printf '\\377\\376'; iconv -t UTF-16LE $file) >utf16.$file
            (printf '\\376\\377'; iconv -t UTF-16BE $file) >utf16be.$file
            sed 's/$/\\r/' $file >crlf.$file
            sed 's/^/    /' $file >indented.$file
        done 2>&1";
    if !openssl(folder.path(), script) {
        return;
    }
    for (certfile, keyfile, message) in [
        // EC PARAMETERS come before the key.
        ("crt", "key", ""),
        ("bom.crt", "bom.key", ""),
        ("utf16.crt", "utf16be.key", ""),
        ("crlf.crt", "crlf.key", ""),
        (
            "indented.crt",
            "key",
            "has a certificate whose lines are indented: remove",
        ),
        (
            "crt",
            "indented.key",
            "has a private key whose lines are indented: remove",
        ),
        (
            "v1.crt",
            "key",
            "v1.crt has an X.509 certificate of version 1, which",
        ),
        ("trusted.crt", "key", "convert it with: openssl x509 -in "),
        (
            "der.crt",
            "key",
            "a certificate as DER: convert it with: openssl x509 -inform DER",
        ),
        (
            "pkcs7.crt",
            "key",
            "PKCS#7: convert them with: openssl pkcs7 -print_certs",
        ),
        (
            "pkcs12",
            "key",
            "PKCS#12: convert it with: openssl pkcs12 -nodes",
        ),
        (
            "request",
            "key",
            "contains a certificate request, not a certificate",
        ),
        (
            "key",
            "key",
            "contains no certificate, only EC PARAMETERS, EC PRIVATE KEY",
        ),
        (
            "crt",
            "pkcs12",
            "PKCS#12: convert it with: openssl pkcs12 -nodes",
        ),
        (
            "crt",
            "der.key",
            "a key as DER: convert it with: openssl pkey -inform DER",
        ),
        (
            "crt",
            "secret-der.key",
            "an encrypted key as DER: convert it with: openssl pkey",
        ),
        (
            "crt",
            "der.crt",
            "a certificate as DER: convert it with: openssl x509",
        ),
        (
            "crt",
            "public.key",
            "contains no private key, only PUBLIC KEY",
        ),
        (
            "crt",
            "sec1.key",
            "sec1.key has an ECDSA key on P-521, which",
        ),
        (
            "crt",
            "dsa.key",
            "dsa.key has a DSA key, which cannot be used here: use",
        ),
    ] {
        let file = |name| folder.path().join(name);
        let loaded = Tls::load(file(certfile), Some(file(keyfile)), None);
        let error = loaded.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(error.contains(message), "{certfile} {keyfile}: {error}");
        assert_eq!(
            error.is_empty(),
            message.is_empty(),
            "{certfile} {keyfile}: {error}"
        );
        assert!(error.lines().count() <= 1, "{error}");
    }
}

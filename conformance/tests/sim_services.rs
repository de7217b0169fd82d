//! Simulates the services: `SEEDS` worlds, or the one of `SEED`. Other tests show that the worlds have what the checks
//! are about. The broken services that the checks find are in `sim_broken_services`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use sanserve_conformance::sim::conversation::{FS_ERRORS, FsOperation};
use sanserve_conformance::sim::services::unpack::{self, Unpacked};
use sanserve_conformance::sim::services::{ModelTree, service_handler};
use sanserve_conformance::sim::{Conversation, Faults, Random, Sim, replay};
use sanserve_core::{ArchiveFormat, ArchiveRequest, FileSystem, Got, Handler, Opened, Path};

#[test]
fn all_services_pass_their_checks_in_all_worlds() {
    Sim::services().run();
}

/// The beginning of content in gzip (RFC 1952 §2.3.1). The variants of the tree begin otherwise.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// More worlds than are needed to see everything.
const WORLDS_MAX: u64 = 10_000;

/// Removes what `occurs` in each world from `missing`, until nothing is missing.
fn see_all(
    sim: &Sim<ModelTree, Box<dyn Handler>>,
    missing: &mut BTreeSet<String>,
    occurs: impl Fn(&Conversation) -> Vec<String>,
) {
    for seed in 1..=WORLDS_MAX {
        for conversation in &sim.simulate(seed, false).conversations {
            for seen in occurs(conversation) {
                missing.remove(&seen);
            }
        }
        if missing.is_empty() {
            println!("all seen after {seed} worlds");
            return;
        }
    }
    panic!("not seen in {WORLDS_MAX} worlds: {missing:?}");
}

#[test]
fn every_operation_of_the_file_system_fails_with_every_error() {
    let operations = FsOperation::ALL.into_iter();
    let mut missing: BTreeSet<String> = operations
        .flat_map(|operation| FS_ERRORS.map(|error| format!("{operation:?} {error:?}")))
        .collect();
    assert_eq!(missing.len(), 144);
    let often = Faults {
        fs_error: 4,
        io_error: 2,
        ..Faults::NONE
    };
    let sim = Sim::services().faults(often);
    see_all(&sim, &mut missing, |conversation| {
        let failures = conversation.fs_failures.iter();
        failures
            .map(|failure| format!("{:?} {:?}", failure.operation, failure.error))
            .collect()
    });
}

#[test]
fn the_worlds_have_replies_of_every_kind() {
    let kinds = [
        "DELETE 204",
        "DELETE 401",
        "DELETE 403",
        "GET 200",
        "GET 200 application/json",
        "GET 200 gzip text/html; charset=utf-8",
        "GET 200 gzip text/plain",
        "GET 200 application/x-tar",
        "GET 200 application/zip",
        "GET 200 text/html; charset=utf-8",
        "GET 200 text/plain; charset=utf-8",
        "GET 204",
        "GET 206",
        "GET 206 application/x-tar",
        "GET 206 application/zip",
        "GET 206 multipart/byteranges",
        "GET 301",
        "GET 304",
        "GET 401",
        "GET 403",
        "GET 404",
        "GET 412",
        "GET 416",
        "GET 421",
        "HEAD 200",
        "HEAD 204",
        "HEAD 401",
        "HEAD 403",
        "OPTIONS 200",
        "PATCH 201",
        "PATCH 204",
        "PATCH 400",
        "PATCH 404",
        "PATCH 409",
        "PATCH 415",
        "POST 200",
        "POST 201",
        "POST 303",
        "POST 400",
        "POST 401",
        "POST 409",
        "POST 507",
        "PUT 201",
        "PUT 204",
        "PUT 401",
        "PUT 403",
        "PUT 409",
        "PUT 412",
        "PUT 415",
        "PUT 503",
        "PUT 507",
        "upgraded",
    ];
    let mut missing = kinds.map(String::from).into();
    see_all(&Sim::services(), &mut missing, |conversation| {
        let exchanges = conversation.exchanges().expect("the replies can be parsed");
        let mut kinds = Vec::new();
        for exchange in exchanges {
            let kind = format!("{} {}", exchange.method, exchange.reply.status);
            let media_type = exchange.reply.field("Content-Type").unwrap_or_default();
            let media_type = String::from_utf8_lossy(media_type);
            let (media_type, _) = media_type
                .split_once("; boundary")
                .unwrap_or((&media_type, ""));
            let coding = exchange.reply.field("Content-Encoding").unwrap_or_default();
            if let (b"gzip", true) = (coding, exchange.reply.body.starts_with(GZIP)) {
                kinds.push(format!("{kind} gzip {media_type}"));
            }
            kinds.push(format!("{kind} {media_type}"));
            kinds.push(kind);
        }
        kinds.extend(conversation.upgraded.is_some().then(|| "upgraded".into()));
        kinds
    });
}

#[test]
fn a_transcript_of_services_can_be_replayed() {
    let sim = Sim::services();
    for seed in 1..100 {
        let transcript = sim.simulate(seed, true).transcript;
        replay(&transcript, service_handler).unwrap_or_else(|what| panic!("{seed}: {what}"));
    }
}

/// Returns the archive of a whole tree.
fn archive(tree: &ModelTree, format: ArchiveFormat) -> Vec<u8> {
    let request = ArchiveRequest {
        path: Path::default(),
        format,
        hidden: true,
    };
    let opened = tree.archive(&request).expect("there is an archive");
    let Opened::File { mut file, meta, .. } = opened else {
        panic!("an archive is a file")
    };
    let mut bytes = vec![0; usize::try_from(meta.len).expect("it is small")];
    let mut done = 0;
    while done < bytes.len() {
        match tree.fill(&mut file, done as u64, &mut bytes[done..]) {
            Got::Bytes(n) => done += n,
            Got::Working => {}
            other => panic!("{other:?}"),
        }
    }
    bytes
}

#[test]
fn the_reader_of_zips_agrees_with_another_one() {
    for seed in 1..50 {
        let tree = ModelTree::grow(&mut Random::new(seed));
        let bytes = archive(&tree, ArchiveFormat::Zip);
        let mut other = zip::ZipArchive::new(Cursor::new(&bytes)).expect("it is a zip");
        let mut expected: Unpacked = BTreeMap::new();
        for index in 0..other.len() {
            let mut file = other.by_index(index).expect("there is a file");
            let mut content = Vec::new();
            file.read_to_end(&mut content)
                .expect("its checksum is right");
            let content = (!file.is_dir()).then_some(content);
            expected.insert(file.name_raw().into(), content);
        }
        assert!(expected.len() > 10);
        assert_eq!(unpack::zip(&bytes), Ok(expected));
    }
}

#[test]
fn the_readers_of_archives_notice_every_changed_byte_of_a_file() {
    let tree = ModelTree::grow(&mut Random::new(3));
    for (format, read) in [
        (ArchiveFormat::Tar, unpack::tar as fn(&[u8]) -> _),
        (ArchiveFormat::Zip, unpack::zip),
    ] {
        let mut bytes = archive(&tree, format);
        let unpacked = read(&bytes);
        assert!(unpacked.is_ok());
        let content = tree.content(b"docs/one.txt").expect("it exists");
        let find = |bytes: &[u8]| {
            bytes
                .windows(content.len())
                .position(|part| part == content)
        };
        let start = find(&bytes).expect("it is stored");
        assert!(!content.is_empty());
        for at in start..start + content.len() {
            bytes[at] ^= 1;
            assert_ne!(read(&bytes), unpacked, "byte {at}");
            bytes[at] ^= 1;
        }
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len} bytes");
        }
    }
}

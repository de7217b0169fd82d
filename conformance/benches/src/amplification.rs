//! The amplification budget: whatever a client sends, work, memory and output are at most a small constant times
//! its bytes.
//!
//! Each case is a pattern that a long request repeats, with a handler that answers it: with every method, and on
//! file systems where everything is a directory, everything a file, or nothing is there. It is answered at
//! 30,000 and at 60,000 bytes. Twice the input may take at most 2.2 times the instructions, and each byte
//! 450 of them for each method and file system; the connection may hold and the client may get only a few times
//! what was sent.
//!
//! Other cases are short requests for the listing of a directory with as many entries, which is prepared as a file
//! system does it: what is not sent must cost nothing, so HEAD of twice as many takes the same.

use std::path::{Path as File, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::{env, fs, iter};

use sanserve_core::archive::Download;
use sanserve_core::{
    Ask, Cgi, Config, Connection, Directory, Entries, Entry, Exchange, FileSystem, FileVersion,
    Files, FsError, Got, Guard, Handler, Hosts, Limits, Meta, Next, Now, Opened, Path, CgiScript,
    Protocol, Upload, Want, error_page, listing, log,
};

use crate::count::callgrind;

/// How the parts of a long request repeat.
#[derive(Clone, Copy)]
enum Pattern {
    /// In the path.
    Path(&'static str),
    /// In the query.
    Query(&'static str),
    /// In the value of a field, behind the first text.
    Field(&'static str, &'static str),
    /// As fields of their own, as many as there may be.
    Fields(&'static str),
    /// In the method.
    Method(&'static str),
    /// As the content, behind these fields.
    Content(&'static str, &'static str),
}
use Pattern::{Content, Field, Fields, Method, Path as Target, Query};

const FORM: &str = "Content-Type: multipart/form-data; boundary=b\r\n";
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n";

const PATTERNS: &[Pattern] = &[
    Target("/d"),
    Target("/"),
    Target("/."),
    Target("/.."),
    Target("/a/.."),
    Target("/%2e"),
    Target("/%2E%2e"),
    Target("/a%2f.."),
    Target("%2F"),
    Target("/cgi-bin"),
    Target("/CGI-BIN/a"),
    Target("/.a"),
    Target("/a."),
    Target("/nul"),
    Target("/a:b"),
    Target("%41"),
    Target("%c3%a4"),
    Target("%ff"),
    Target("%ED%B3%BF"),
    Target("%00"),
    Target("%"),
    Target("&"),
    Target("'"),
    Target("\u{1}"),
    Query("sort=size&"),
    Query("json&"),
    Query("zip&"),
    Query("&"),
    Query("?"),
    Query("+"),
    Query("="),
    Method("A"),
    Method("\u{7f}"),
    Field("Range: bytes=", "0-1,"),
    Field("Range: bytes=", "9-,"),
    Field("If-None-Match: ", "\"a\", "),
    Field("If-None-Match: ", ","),
    Field("If-Match: ", "W/\"a\","),
    Field("If-Range: ", "\"a\""),
    Field("If-Modified-Since: ", "Sun, 06 Nov 1994 08:49:37 GMT, "),
    Field("Accept: ", "text/html;q=0.1, "),
    Field("Accept: ", "*/*;q=1;"),
    Field("Accept-Encoding: ", "gzip;q=0.5, "),
    Field("Accept-Encoding: ", ";q=,"),
    Field("Authorization: Basic ", "YTpi"),
    Field("Cookie: ", "a=b; "),
    Field("Connection: ", "close, "),
    Field("Transfer-Encoding: ", "gzip, "),
    Field("Content-Length: ", "0"),
    Field("Expect: ", "100-continue, "),
    Field("Content-Type: multipart/form-data; boundary=", "b"),
    Field("Content-Type: ", "multipart/form-data; "),
    Field("Origin: http://", "h."),
    Field("User-Agent: ", "\""),
    Field("Referer: ", "\u{e4}"),
    Fields("Range: bytes=0-1"),
    Fields("Accept: text/html;q=0.1"),
    Fields("If-None-Match: \"a\""),
    Content(FORM, "--b\r\n"),
    Content(FORM, "\r\n--"),
    Content(
        FORM,
        "--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nx\r\n",
    ),
    Content(FORM, "--b\r\nContent-Disposition: form-data; filename=\""),
    Content(CHUNKS, "1\r\nx\r\n"),
    Content(CHUNKS, "0001;a=b\r\nx\r\n"),
    Content("Content-Length: 60000\r\n", "x"),
];

/// Answers a request on a file system.
type Answer = fn(&[u8], Anything) -> Taken;

const HANDLERS: &[(&str, Answer)] = &[
    ("Files, as Python", |input, files| {
        serve(input, files, Files::new())
    }),
    ("Files, all options", |input, files| {
        serve(input, files, all_options())
    }),
    ("Cgi", |input, files| {
        let mut cgi = Cgi::new("h", 80);
        cgi.files = all_options();
        serve(input, files, cgi)
    }),
    ("Upload", |input, files| {
        let mut upload = Upload::new();
        (upload.files, upload.overwrite) = (all_options(), true);
        serve(input, files, upload)
    }),
    ("Guard", |input, files| {
        serve(input, files, Guard::new(Files::new(), |_| Some(false)))
    }),
    ("Hosts", |input, files| {
        serve(input, files, Hosts::new(Files::new(), ["other"]))
    }),
];

/// Instructions that each byte of a request may take, all methods and file systems together: 450 for each.
const INSTRUCTIONS_MAX: u64 = 450 * 15;
/// Bytes of a short and of a long request; entries of a small and of a large directory.
const LENGTHS: [usize; 2] = [30_000, 60_000];

fn all_options() -> Files {
    let mut files = Files::new();
    files.settings_mut().list_directory = Arc::new(listing::page);
    files.settings_mut().archive = Arc::new(Download::parse);
    files.settings_mut().precompressed = true;
    files.settings_mut().cors = Some("*".into());
    files.settings_mut().spa = Some("app.html".into());
    files.settings_mut().not_found_page = Some("404.html".into());
    files.settings_mut().charset = Some("utf-8".into());
    files
}

impl Pattern {
    /// The requests with some method of about so many bytes.
    fn request(self, method: &str, len: usize) -> Vec<u8> {
        let repeated = |part: &str| part.repeat(len / part.len());
        let (mut method, mut target) = (method.to_owned(), "/".to_owned());
        let (mut fields, mut content) = (String::new(), String::new());
        match self {
            // With a slash at the end it is a directory.
            Target(part) if matches!(method.as_str(), "GET" | "HEAD") => {
                target = format!("/{}/", repeated(part));
            }
            Target(part) => target = format!("/{}", repeated(part)),
            Query(part) => target = format!("/?{}", repeated(part)),
            Method(part) => method = repeated(part),
            Field(start, part) => fields = format!("{start}{}\r\n", repeated(part)),
            Fields(field) => {
                let padding = "x".repeat((len / 90).saturating_sub(field.len()));
                fields = format!("{field}{padding}\r\n").repeat(90);
            }
            Content(head, part) => {
                content = repeated(part);
                let length = match head.contains("chunked") || head.contains("Length") {
                    true => String::new(),
                    false => format!("Content-Length: {}\r\n", content.len()),
                };
                fields = format!("{head}{length}");
            }
        }
        let text = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n{content}");
        text.chars().map(|char| char as u8).collect()
    }

    fn name(self) -> String {
        let (kind, start, part) = match self {
            Target(part) => ("path", "", part),
            Query(part) => ("query", "", part),
            Method(part) => ("method", "", part),
            Field(start, part) => ("field", start, part),
            Fields(part) => ("fields", "", part),
            Content(head, part) => ("content", head, part),
        };
        format!("{kind} {:?}", format!("{start}{part}"))
    }
}

/// A file system in which everything is the same.
#[derive(Clone, Copy, PartialEq)]
enum Anything {
    Directory,
    File,
    Missing,
}

impl FileSystem for Anything {
    type File = ();

    fn open(&self, path: &Path) -> Result<Opened<()>, FsError> {
        match self {
            _ if path.as_bytes().is_empty() => Ok(Opened::Directory),
            // An index page would hide the listing.
            Anything::Directory if path.as_bytes().ends_with(b".html") => Err(FsError::NotFound),
            Anything::Directory => Ok(Opened::Directory),
            Anything::File => Ok(Opened::File {
                file: (),
                meta: Meta::new(100)
                    .with_modified(Some(784_111_777))
                    .with_version(Some(FileVersion::new(1)))
                    .with_executable(true),
                sendable: false,
            }),
            Anything::Missing => Err(FsError::NotFound),
        }
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Ok(Arc::new(Entries::from_iter([Entry {
            name: b"a name",
            ..Entry::default()
        }])))
    }

    fn read(&self, (): &mut (), at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let left = 100_u64.saturating_sub(at) as usize;
        into.fill(b'x');
        Ok(into.len().min(left))
    }

    fn run(&self, _: &CgiScript) -> Result<Opened<()>, FsError> {
        Ok(Opened::Process(()))
    }

    fn create(&self, _: &sanserve_core::Create) -> Result<Opened<()>, FsError> {
        match self {
            Anything::Directory => Err(FsError::NotRegularFile),
            _ => Ok(Opened::Writer(())),
        }
    }

    fn write(&self, (): &mut (), bytes: &[u8]) -> Result<usize, FsError> {
        Ok(bytes.len())
    }

    fn commit(&self, (): &mut ()) -> Result<(), FsError> {
        Ok(())
    }

    fn answer(&self, ask: &Ask) -> Got<()> {
        match ask {
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::List(path) => Got::Listed(self.list(path)),
            Ask::Run(program) => Got::Opened(self.run(program)),
            Ask::Create(create) => Got::Opened(self.create(create)),
            Ask::Verify(_) => Got::Verified(Err(FsError::Forbidden)),
            _ => Got::Opened(Err(FsError::Unsupported)),
        }
    }
}

/// What a connection took to answer.
#[derive(Clone, Copy, Default)]
struct Taken {
    /// The most that was allocated at a time, in bytes.
    held: usize,
    /// Bytes of replies and of log lines.
    said: usize,
}

fn serve(input: &[u8], files: impl FileSystem<File = ()>, handler: impl Handler) -> Taken {
    let config = Config::default()
        .with_protocol(Protocol::Http11)
        .with_error_page(error_page::page)
        .with_log_format(log::combined);
    let mut conn = Connection::new(config, "192.0.2.1", handler);
    let (mut rest, mut got, mut taken) = (input, Got::Nothing, Taken::default());
    let now = Now {
        unix: Some(1_790_000_000),
        ..Now::default()
    };
    loop {
        taken.held = taken.held.max(conn.allocated());
        got = match conn.step(now, got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                taken.said += from.len();
                Got::Bytes(from.len())
            }
            Want::Log(lines) => {
                taken.said += lines.len();
                Got::Nothing
            }
            // What is open may be a program, which says nothing.
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Wait | Want::Upgrade => unreachable!("nothing here waits"),
            Want::Ask(ask) => files.answer(ask),
            Want::Shutdown => Got::Nothing,
            Want::Close => return taken,
            Want::Copy { .. } => unreachable!("nothing here is sent so"),
        };
    }
}

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "OPTIONS"];

/// Answers a long request with every method, on every file system.
fn answer(pattern: Pattern, handler: Answer, len: usize) -> Taken {
    let mut most = Taken::default();
    for method in METHODS {
        let request = pattern.request(method, len);
        for files in [Anything::Directory, Anything::File, Anything::Missing] {
            let taken = handler(&request, files);
            most.held = most.held.max(taken.held);
            most.said = most.said.max(taken.said);
        }
    }
    most
}

/// Something that is answered at both sizes.
struct Case {
    name: String,
    answer: Box<dyn Fn(usize) -> Taken>,
    /// In hundredths: the instructions that twice the size may take, of what it took before.
    doubled_max: u64,
    /// The instructions that each byte, or entry, may take.
    each_max: u64,
    /// The bytes that may be said.
    said_max: usize,
}

/// All cases with that in their names, in their order.
fn cases(part: &str) -> Vec<Case> {
    let requests = PATTERNS.iter().flat_map(|pattern| {
        HANDLERS.iter().map(|(name, handler)| Case {
            name: format!("{name}: {}", pattern.name()),
            answer: Box::new(|size| answer(*pattern, *handler, LENGTHS[size])),
            doubled_max: 220,
            each_max: INSTRUCTIONS_MAX,
            said_max: 4 * LENGTHS[1] + 32 * 1024,
        })
    });
    let listings = LISTINGS.iter().flat_map(|(list, of)| {
        REQUESTS.iter().map(move |(request, is_sent)| Case {
            name: format!("{of}, {:?}", request.lines().next().unwrap_or_default()),
            answer: Box::new(|size| {
                let mut files = Files::new();
                files.settings_mut().list_directory = Arc::new(*list);
                serve(request.as_bytes(), Large(size), files)
            }),
            doubled_max: if *is_sent { 220 } else { 105 },
            each_max: if *is_sent { 2000 } else { 2 },
            said_max: if *is_sent { usize::MAX } else { 2048 },
        })
    });
    let all = requests.chain(listings);
    all.filter(|case| case.name.contains(part)).collect()
}

/// A function that answers with a listing.
type List = fn(&mut Exchange<'_>, Directory<'_>) -> Next;

const LISTINGS: [(List, &str); 2] = [
    (listing::page, "listing"),
    (listing::python, "listing as Python"),
];

/// Requests for a listing, and whether it is sent.
const REQUESTS: [(&str, bool); 6] = [
    ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", false),
    (
        "HEAD /?sort=size&order=desc HTTP/1.1\r\nHost: h\r\n\r\n",
        false,
    ),
    ("HEAD /?order=desc HTTP/1.1\r\nHost: h\r\n\r\n", false),
    ("HEAD /?json HTTP/1.1\r\nHost: h\r\n\r\n", false),
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
    ("GET /?sort=time HTTP/1.1\r\nHost: h\r\n\r\n", true),
];

/// A directory of as many entries as a request of that size has bytes.
#[derive(Clone, Copy)]
struct Large(usize);

impl Large {
    /// Both sizes, which are made before anything is counted.
    fn entries() -> &'static [Arc<Entries>; 2] {
        static ENTRIES: OnceLock<[Arc<Entries>; 2]> = OnceLock::new();
        ENTRIES.get_or_init(|| LENGTHS.map(Large::of))
    }

    fn of(len: usize) -> Arc<Entries> {
        let names: Vec<_> = (0..len).map(|at| format!("{}", at * 7919 % len)).collect();
        let entries = names.iter().zip(0_u32..).map(|(name, at)| Entry {
            name: name.as_bytes(),
            len: Some(u64::from(at) * 31 % 1000),
            modified: Some(1_700_000_000 + i64::from(at) * 17 % 1000),
            ..Entry::default()
        });
        let mut entries: Entries = entries.collect();
        listing::prepare(&mut entries);
        Arc::new(entries)
    }
}

impl FileSystem for Large {
    type File = ();

    fn open(&self, path: &Path) -> Result<Opened<()>, FsError> {
        match path.as_bytes() {
            b"" => Ok(Opened::Directory),
            _ => Err(FsError::NotFound),
        }
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Ok(Arc::clone(&Large::entries()[self.0]))
    }

    fn read(&self, (): &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Ok(0)
    }
}

/// Callgrind writes down what was counted, and begins anew, whenever this is called.
#[inline(never)]
fn amplification_case_ends(taken: Taken) {
    std::hint::black_box(taken);
}

/// Answers everything, under callgrind. A part of the cases, since that takes time: every `of`th from `part` on.
pub fn run(name: &str, part: usize, of: usize) {
    Large::entries();
    amplification_case_ends(Taken::default());
    for case in cases(name).into_iter().skip(part).step_by(of) {
        for size in 0..LENGTHS.len() {
            amplification_case_ends((case.answer)(size));
        }
    }
}

/// Holds the budget for all cases with that in their names, and says where it is not kept.
pub fn check(part: &str) -> ExitCode {
    let cases = cases(part);
    let mut failures = Vec::new();
    let held_max = 5 * LENGTHS[1] + 2 * Limits::default().outbox;
    for Case {
        name,
        answer,
        said_max,
        ..
    } in &cases
    {
        let Taken { held, said } = answer(1);
        if held > held_max {
            failures.push(format!("{name}: holds {held} bytes, more than {held_max}"));
        }
        if said > *said_max {
            failures.push(format!("{name}: says {said} bytes, more than {said_max}"));
        }
    }
    let mut worst = (0, "");
    for (case, [short, long]) in cases.iter().zip(counted(part, cases.len())) {
        let Case {
            name,
            doubled_max,
            each_max,
            ..
        } = case;
        let (doubled, each) = (long * 100 / short, long / LENGTHS[1] as u64);
        if doubled > *doubled_max {
            failures.push(format!(
                "{name}: {short} instructions, and {long} for twice as much"
            ));
        }
        if each > *each_max {
            failures.push(format!(
                "{name}: {each} instructions for each byte or entry"
            ));
        }
        worst = worst.max((doubled, name));
    }
    println!(
        "{} cases; twice the size takes at most {} % ({})",
        cases.len(),
        worst.0,
        worst.1
    );
    failures.iter().for_each(|failure| println!("{failure}"));
    ExitCode::from(u8::from(!failures.is_empty()))
}

/// The instructions of each case, at both sizes.
fn counted(name: &str, cases: usize) -> Vec<[u64; 2]> {
    const PARTS: usize = 2;
    let folder = env::temp_dir().join(format!("sanserve-amplification-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the counts");
    let parts = std::thread::scope(|scope| {
        let part = |part| {
            let out = folder.join(format!("part{part}"));
            scope.spawn(move || counts(&out, name, part, PARTS))
        };
        let parts: Vec<_> = (0..PARTS).map(part).collect();
        let counted = parts
            .into_iter()
            .map(|part| part.join().expect("a part is counted"));
        counted.collect::<Vec<_>>()
    });
    fs::remove_dir_all(&folder).expect("the folder goes");
    (0..cases).map(|at| parts[at % PARTS][at / PARTS]).collect()
}

/// Counts a part of the cases. Callgrind writes a file for each, with the sum in a line of it.
fn counts(out: &File, name: &str, part: usize, of: usize) -> Vec<[u64; 2]> {
    let mut valgrind = callgrind(out);
    valgrind.args([
        "--dump-before=*amplification_case_ends*",
        "--compress-pos=yes",
    ]);
    valgrind
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)));
    valgrind.arg(env::current_exe().expect("this program"));
    let ran = valgrind
        .args([
            "amplification-part",
            name,
            &part.to_string(),
            &of.to_string(),
        ])
        .output();
    let ran = ran.expect("valgrind has to be installed");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    // The first is of what comes before all cases.
    let files = iter::successors(Some(2), |number| Some(number + 1)).map(|number| {
        let mut name = out.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let sums = files
        .map_while(|file| fs::read_to_string(file).ok())
        .map(|text| total(&text));
    let sums: Vec<u64> = sums.collect();
    let (pairs, _) = sums.as_chunks::<2>();
    pairs.to_vec()
}

fn total(text: &str) -> u64 {
    let mut lines = text.lines().rev();
    let total = lines.find_map(|line| {
        line.strip_prefix("totals: ")
            .or(line.strip_prefix("summary: "))
    });
    total
        .and_then(|total| total.trim().parse().ok())
        .expect("callgrind writes a sum")
}

//! Checks the amplification budget: work, memory and output are at most a small constant times the bytes that a client
//! sends.
//!
//! Each case is a pattern that is repeated in a long request, and a handler. It is run with every method, on file
//! systems where every path is a directory, a file, or missing, and with 30,000 and 60,000 bytes. For each method and
//! file system, twice the input may take at most 2.2 times the instructions, and each byte at most 450 instructions.
//! The memory of the connection and the bytes that it sends may be only a few times those of the request.
//!
//! Other cases are short requests for the listing of a directory with 30,000 or 60,000 entries, which is prepared
//! beforehand, as file systems do. The cost of a reply without content must not depend on the number of entries: HEAD
//! may take at most 5 % more instructions for twice as many.

use std::path::{Path as File, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::{env, fs, iter};

use sanserve_core::archive::Download;
use sanserve_core::{
    Ask, Cgi, CgiScript, Config, Connection, Directory, Entries, Entry, Exchange, FileSystem,
    FileVersion, Files, FsError, Got, Guard, Handler, Hosts, Limits, Meta, Next, Now, Opened, Path,
    Protocol, Upload, Want, error_page, listing, log,
};

use crate::count::callgrind;

/// The part that a long request repeats.
#[derive(Clone, Copy)]
enum Pattern {
    /// In the path.
    Path(&'static str),
    /// In the query.
    Query(&'static str),
    /// In the value of a field, after the first text.
    Field(&'static str, &'static str),
    /// As separate fields, as many as allowed.
    Fields(&'static str),
    /// In the method.
    Method(&'static str),
    /// As the content, after these fields.
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

/// Serves a request on a file system.
type Answer = fn(&[u8], Anything) -> Cost;

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

/// The most instructions for each byte of a request, for all methods and file systems together: 450 for each.
const INSTRUCTIONS_MAX: u64 = 450 * 15;
/// The bytes of a short and a long request, and the entries of a small and a large directory.
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
    /// Returns a request of about `len` bytes.
    fn request(self, method: &str, len: usize) -> Vec<u8> {
        let repeated = |part: &str| part.repeat(len / part.len());
        let (mut method, mut target) = (method.to_owned(), "/".to_owned());
        let (mut fields, mut content) = (String::new(), String::new());
        match self {
            // The slash at the end makes it a directory.
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

/// A file system in which all paths are the same.
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

/// The cost of a connection, apart from instructions.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// The maximum number of bytes that were allocated at the same time.
    allocated: usize,
    /// The bytes of replies and log lines.
    output: usize,
}

fn serve(input: &[u8], files: impl FileSystem<File = ()>, handler: impl Handler) -> Cost {
    let config = Config::default()
        .with_protocol(Protocol::Http11)
        .with_error_page(error_page::page)
        .with_log_format(log::combined);
    let mut conn = Connection::new(config, "192.0.2.1", handler);
    let (mut rest, mut got, mut cost) = (input, Got::Nothing, Cost::default());
    let now = Now {
        unix: Some(1_790_000_000),
        ..Now::default()
    };
    loop {
        cost.allocated = cost.allocated.max(conn.allocated());
        got = match conn.step(now, got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                cost.output += from.len();
                Got::Bytes(from.len())
            }
            Want::Log(lines) => {
                cost.output += lines.len();
                Got::Nothing
            }
            // The open file may be a CGI process without output.
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Wait | Want::Upgrade => unreachable!("nothing here waits"),
            Want::Ask(ask) => files.answer(ask),
            Want::Shutdown => Got::Nothing,
            Want::Close => return cost,
            Want::Copy { .. } => unreachable!("no file is sendable"),
        };
    }
}

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "OPTIONS"];

/// Serves a long request with every method, on every file system.
fn serve_all(pattern: Pattern, handler: Answer, len: usize) -> Cost {
    let mut most = Cost::default();
    for method in METHODS {
        let request = pattern.request(method, len);
        for files in [Anything::Directory, Anything::File, Anything::Missing] {
            let cost = handler(&request, files);
            most.allocated = most.allocated.max(cost.allocated);
            most.output = most.output.max(cost.output);
        }
    }
    most
}

/// A case, which is run with both sizes.
struct Case {
    name: String,
    answer: Box<dyn Fn(usize) -> Cost>,
    /// The instructions for twice the size, in per cent of those for the size.
    doubled_max: u64,
    /// The maximum number of instructions for each byte or entry.
    each_max: u64,
    /// The maximum length of the output in bytes.
    output_max: usize,
}

/// Returns the cases with `part` in their names.
fn cases(part: &str) -> Vec<Case> {
    let requests = PATTERNS.iter().flat_map(|pattern| {
        HANDLERS.iter().map(|(name, handler)| Case {
            name: format!("{name}: {}", pattern.name()),
            answer: Box::new(|size| serve_all(*pattern, *handler, LENGTHS[size])),
            doubled_max: 220,
            each_max: INSTRUCTIONS_MAX,
            output_max: 4 * LENGTHS[1] + 32 * 1024,
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
            output_max: if *is_sent { usize::MAX } else { 2048 },
        })
    });
    let all = requests.chain(listings);
    all.filter(|case| case.name.contains(part)).collect()
}

/// A function that sends a listing.
type List = fn(&mut Exchange<'_>, Directory<'_>) -> Next;

const LISTINGS: [(List, &str); 2] = [
    (listing::page, "listing"),
    (listing::python, "listing as Python"),
];

/// Requests for a listing, and whether the reply has content.
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

/// A directory with the number of entries for this size.
#[derive(Clone, Copy)]
struct Large(usize);

impl Large {
    /// Returns the entries for both sizes, which are created before anything is counted.
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

/// Callgrind writes its counts to a file and resets them whenever this is called.
#[inline(never)]
fn amplification_case_ends(cost: Cost) {
    std::hint::black_box(cost);
}

/// Runs every `of`th case, beginning with number `part`, under callgrind. The cases are divided because they take long.
pub fn run(name: &str, part: usize, of: usize) {
    Large::entries();
    amplification_case_ends(Cost::default());
    for case in cases(name).into_iter().skip(part).step_by(of) {
        for size in 0..LENGTHS.len() {
            amplification_case_ends((case.answer)(size));
        }
    }
}

/// Checks the budget of all cases with `part` in their names, and prints violations.
pub fn check(part: &str) -> ExitCode {
    let cases = cases(part);
    let mut failures = Vec::new();
    let allocated_max = 5 * LENGTHS[1] + 2 * Limits::default().outbox;
    for Case {
        name,
        answer,
        output_max,
        ..
    } in &cases
    {
        let Cost { allocated, output } = answer(1);
        if allocated > allocated_max {
            failures.push(format!(
                "{name}: allocates {allocated} bytes, more than {allocated_max}"
            ));
        }
        if output > *output_max {
            failures.push(format!(
                "{name}: sends {output} bytes, more than {output_max}"
            ));
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

/// Returns the instructions of each case with both sizes.
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
            .map(|part| part.join().expect("counting does not panic"));
        counted.collect::<Vec<_>>()
    });
    fs::remove_dir_all(&folder).expect("the folder can be removed");
    (0..cases).map(|at| parts[at % PARTS][at / PARTS]).collect()
}

/// Counts a part of the cases. Callgrind writes a file for each, with a line for the total.
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
    // The first file is for the work before all cases.
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
        .expect("callgrind writes a total")
}

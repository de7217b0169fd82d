//! [`run_script`]: runs fakes of the site's CGI scripts, for implementations that cannot run processes.
//!
//! Each fake does the same as the shell script of that name in `cases/site.txt`.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The result of a CGI script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgiOutput {
    /// The bytes that it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The text that it wrote to its standard error.
    pub stderr: String,
    /// Its exit status, or the negative number of the signal that killed it.
    pub status: i32,
}

/// Runs the fake of the script at `path`, such as `cgi-bin/hello.sh`. Returns `None` if there is no such script.
#[must_use]
pub fn run_script(
    path: &[u8],
    env: &[(Cow<'static, str>, Vec<u8>)],
    args: &[Vec<u8>],
    content: &[u8],
) -> Option<CgiOutput> {
    let stdout = |stdout: &[u8]| CgiOutput {
        stdout: stdout.to_vec(),
        ..CgiOutput::default()
    };
    Some(match path {
        b"cgi-bin/hello.sh" => stdout(b"Content-Type: text/html\r\n\r\nHello World\n"),
        b"cgi-bin/vars.sh" => stdout(&vars(env, args, content)),
        b"cgi-bin/child/hi.sh" => stdout(b"Content-Type: text/plain\r\n\r\nchild\n"),
        // The fake does not sleep afterwards.
        b"cgi-bin/slow.sh" => stdout(b"Content-Type: text/plain\r\n\r\nbegun\n"),
        b"htbin/hi.sh" => stdout(b"Content-Type: text/plain\r\n\r\nhtbin\n"),
        b"cgi-bin/cat.sh" => stdout(&[b"Content-Type: text/plain\n\n", content].concat()),
        b"cgi-bin/status.sh" => stdout(b"Status: 404 Nope\r\nContent-Type: text/plain\r\n\r\nbody"),
        b"cgi-bin/location.sh" => stdout(b"Location: /sub/?x=1\n\n"),
        b"cgi-bin/fields.sh" => stdout(&fields(env)),
        b"cgi-bin/client.sh" => stdout(&client(env)),
        b"cgi-bin/local.sh" => {
            stdout(&[b"Location: ", variable(env, "QUERY_STRING"), b"\n\n"].concat())
        }
        b"cgi-bin/local-info.sh" => {
            stdout(&[b"Location: ", variable(env, "PATH_INFO"), b"\n\n"].concat())
        }
        b"cgi-bin/loop.sh" => stdout(b"Location: /cgi-bin/loop.sh\n\n"),
        b"cgi-bin/local-body.sh" => stdout(b"location:/file.txt\r\n\r\nbody"),
        b"cgi-bin/moved.sh" => stdout(b"Status: 302 Found\nLocation: /sub/?x=1\n\n"),
        b"cgi-bin/cookie.sh" => stdout(b"Location: /sub/\nSet-Cookie: a=b\n\n"),
        b"cgi-bin/length.sh" => stdout(b"Content-Length: 5\nX: y\nConnection: z\n\nhello"),
        b"cgi-bin/bad.sh" => stdout(b"Content-Type: text/plain\rSet-Cookie: a=b\n\nbody"),
        b"cgi-bin/fail.sh" => CgiOutput {
            status: 3,
            ..stdout(b"hi\n")
        },
        b"cgi-bin/err.sh" => CgiOutput {
            stderr: "oops\n".into(),
            ..stdout(b"\nX")
        },
        b"cgi-bin/kill.sh" => CgiOutput {
            status: -9,
            ..CgiOutput::default()
        },
        _ => return None,
    })
}

fn variable<'a>(env: &'a [(Cow<'static, str>, Vec<u8>)], name: &str) -> &'a [u8] {
    let found = env.iter().find(|(other, _)| *other == name);
    found.map_or(b"", |(_, value)| value)
}

/// Prints the variables about the server and all fields, except the field `Case`, which tells some adapters the case of
/// a request.
fn fields(env: &[(Cow<'static, str>, Vec<u8>)]) -> Vec<u8> {
    let mut rows: Vec<_> = env
        .iter()
        .filter(|(name, _)| {
            name.starts_with("HTTP") && name != "HTTP_CASE"
                || matches!(
                    &**name,
                    "SERVER_NAME" | "SERVER_PORT" | "REQUEST_METHOD" | "CONTENT_TYPE"
                )
        })
        .map(|(name, value)| [name.as_bytes(), b"=", value, b"\n"].concat())
        .collect();
    rows.sort();
    rows.insert(0, b"Content-Type: text/plain\n\n".to_vec());
    rows.concat()
}

/// Prints the variables about the client.
fn client(env: &[(Cow<'static, str>, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"Content-Type: text/plain\n\n".to_vec();
    for name in ["REMOTE_ADDR", "HTTPS", "SERVER_PORT"] {
        out.extend([name.as_bytes(), b"=[", variable(env, name), b"]\n"].concat());
    }
    out
}

/// Prints some of the environment, and the arguments.
fn vars(env: &[(Cow<'static, str>, Vec<u8>)], args: &[Vec<u8>], content: &[u8]) -> Vec<u8> {
    const SHOWN: [&str; 16] = [
        "GATEWAY_INTERFACE",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_ACCEPT",
        "HTTP_COOKIE",
        "HTTP_USER_AGENT",
        "HTTP_PROXY",
        "REMOTE_USER",
        "AUTH_TYPE",
    ];
    let mut out = b"Content-Type: text/plain\r\n\r\n".to_vec();
    for name in SHOWN {
        let length = content.len().to_string().into_bytes();
        let value = match name {
            "CONTENT_LENGTH" if !content.is_empty() => length,
            name => variable(env, name).to_vec(),
        };
        out.extend([name.as_bytes(), b"=[", &value, b"]\n"].concat());
    }
    args.iter()
        .for_each(|arg| out.extend([b"arg=[", &arg[..], b"]\n"].concat()));
    out
}

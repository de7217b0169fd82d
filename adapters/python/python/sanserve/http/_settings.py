"""The settings of the engine for a class of handlers."""

import sys
import time

from sanserve import _engine

# Settings by class, directory and everything else that they depend on.
_cache = {}
_CACHE_MAX = 64

# The methods and attributes that decide how a file is served. A class that overrides one of them serves files itself.
FILE_NAMES = (
    "copyfile", "date_time_string", "end_headers", "error_content_type", "error_message_format", "flush_headers",
    "guess_type", "handle_expect_100", "list_directory", "responses", "send_error", "send_head", "send_header",
    "send_response", "send_response_only", "translate_path", "version_string",
)
# Those that decide which scripts are run, and how.
CGI_NAMES = ("do_POST", "is_cgi", "is_executable", "is_python", "run_cgi")
# Those that decide which file a script is. The engine cannot run the scripts of a class that overrides one of them.
SCRIPT_NAMES = ("is_executable", "is_python", "translate_path")
# Those that decide what is logged.
LOG_NAMES = ("address_string", "log_date_time_string", "log_error", "log_message", "log_request")


def keeps(cls, base, names):
    """Returns whether a class has the attributes of its base."""
    return all(getattr(cls, name) is getattr(base, name) for name in names)


def for_handler(handler, base, root):
    """Returns the settings for a handler. `base` is the class whose methods the file service replaces, or None if it
    cannot; `root` is the class of its log methods."""
    cls = type(handler)
    logs_to_python = not keeps(cls, root, LOG_NAMES) or not _is_plain_stderr(sys.stderr)
    common = (cls, handler.protocol_version, handler.timeout, handler.version_string(), logs_to_python)
    has_service = base is not None or hasattr(handler, "cgi_directories")
    key = (*common, base, *_file_key(handler)) if has_service else common
    found = _cache.get(key)
    if found is None:
        if len(_cache) >= _CACHE_MAX:
            _cache.clear()
        found = _cache[key] = _new(handler, base, has_service, logs_to_python)
    if not logs_to_python:
        found.set_utc_offset(time.localtime().tm_gmtoff)
    return found


def _new(handler, base, has_service, logs_to_python):
    settings = _engine.Settings(
        server=handler.version_string(),
        keep_alive=handler.protocol_version >= "HTTP/1.1",
        timeout=handler.timeout,
        logs_to_python=logs_to_python,
    )
    if not has_service:
        return settings
    cls = type(handler)
    # A class that serves files itself still lets the engine run scripts.
    methods = [] if base is None else ["GET", "HEAD"] + ["POST"] * hasattr(base, "cgi_directories")
    methods = [name for name in methods if getattr(cls, "do_" + name) is getattr(base, "do_" + name)]
    extra = handler.extra_response_headers or ()
    try:
        return settings.with_files(
            handler.directory, methods,
            index_pages=list(handler.index_pages),
            guess_type=_type_guesser(cls),
            extra_headers=[(name, value) for name, value in extra],
            **_cgi_settings(handler),
        )
    except OSError:
        # There is no such directory: every file is missing, which the methods of the handler say.
        return settings


def _file_key(handler):
    extra = handler.extra_response_headers or ()
    types = handler.extensions_map
    return (
        handler.directory, tuple(handler.index_pages), tuple(map(tuple, extra)), handler.default_content_type,
        tuple(getattr(handler, "cgi_directories", ())), id(types), len(types),
    )


def _type_guesser(cls):
    """Returns a function that guesses the type of a file as a handler of this class does."""
    guesser = cls.__new__(cls)
    return guesser.guess_type


def _cgi_settings(handler):
    if not hasattr(handler, "cgi_directories"):
        return {}
    server = handler.server
    return {
        "cgi_directories": list(handler.cgi_directories),
        "server_name": getattr(server, "server_name", ""),
        "port": getattr(server, "server_port", 0),
        "https": hasattr(server, "certfile"),
    }


def _is_plain_stderr(stream):
    """Returns whether a stream is standard error, uncoloured, so that the engine may write to it itself."""
    try:
        return stream is sys.__stderr__ and stream.fileno() == 2 and not stream.isatty()
    except (AttributeError, OSError, ValueError):
        return False

"""Which of CPython's tests apply to the program, and what came of them."""

import ast
import inspect
import os
import platform
import re
import textwrap
import unittest
from http.server import BaseHTTPRequestHandler
from test import test_httpservers as tests

import program

# What older tests ask for and CPython itself has changed since, or what is another way on purpose.
DIFFERENT = {
    "SimpleHTTPServerTestCase.test_undecodable_parameter":
        "since CPython 3.13.4 the title of a listing has no query (gh-133889)",
    "BaseHTTPServerTestCase.test_request_line_trimming":
        "sends HTTP/1.1 without a Host, which MUST be refused (RFC 9112 section 3.2)",
    "SimpleHTTPServerTestCase.test_path_without_leading_slash":
        "a target begins with a slash or a scheme, others SHOULD be refused (RFC 9112 section 3)",
    "CGIHTTPServerTestCase.test_no_leading_slash":
        "the same",
    "SimpleHTTPServerTestCase.test_get_dir_redirect_location_domain_injection_bug":
        "the last of four redirects names the host that the client named; here none names a host",
    "SimpleHTTPServerTestCase.test_list_dir_with_query_and_fragment":
        "a target has no fragment, which is for the client alone (RFC 9112 section 3.2): 400",
    "SimpleHTTPServerTestCase.test_list_dir_undecodable_dirname2":
        "%ff is the byte FF of a name, as with other servers; Python takes it for U+FFFD",
    "CGIHTTPServerTestCase.test_large_content_length_truncated":
        "a script is not run before all of its content is there: a request that is cut short is not "
        "carried out (RFC 9112 section 8), and content is limited",
    "SimpleHTTPServerTestCase.test_extra_response_headers_dont_overwrite_default_headers":
        "--header refuses a field that the server sends itself, where Python drops it without a word",
}

LOCAL = "calls Python objects, no server"

# What is answered before any handler is asked.
EARLY = {"BAD_REQUEST", "HTTP_VERSION_NOT_SUPPORTED"}


def run(path, names, cgi, verbose):
    """Runs what applies. Returns the exit code."""
    program.stand_in(tests, path, verbose)
    version = platform.python_version()
    user = f", as user {os.geteuid()}" if hasattr(os, "geteuid") else ""
    print(f"tests of CPython {version} ({tests.__file__}){user}")
    print(f"against {path}\n")
    chosen, others = unittest.TestSuite(), []
    for test in every(unittest.defaultTestLoader.loadTestsFromModule(tests)):
        if names and not any(part in name(test) for part in names):
            continue
        reason = why_not(test, cgi)
        if reason:
            others.append((name(test), reason))
        else:
            chosen.addTest(test)
    outcome = Outcome(others)
    chosen.run(outcome)
    return report(outcome, others)


def every(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from every(part)
        else:
            yield part


def name(test):
    return ".".join(test.id().split(".")[-2:])


def why_not(test, cgi):
    """Why this test says nothing about a program, or None if it does."""
    if not isinstance(test, tests.BaseTestCase):
        return LOCAL
    handler = test.request_handler
    if hasattr(handler, "cgi_directories") and not cgi:
        return "needs scripts: --cgi"
    if getattr(test, "tls", None):
        return "needs TLS"
    code = source(test)
    if EARLY.issuperset(re.findall(r"HTTPStatus\.(\w+)", code)) and "HTTPStatus." in code:
        return None
    own = program.own_methods(handler) & methods(code)
    if own and type(test).__name__ not in program.PAGES:
        return f"needs the test's own handler of {', '.join(sorted(own))}"
    served = {"GET", "HEAD"} & methods(code)
    bare = not hasattr(handler, "do_GET") and issubclass(handler, BaseHTTPRequestHandler)
    if bare and served and "NOT_IMPLEMENTED" in code:
        return f"needs a server without {', '.join(sorted(served))}"
    return None


def source(test):
    method = getattr(test, test._testMethodName)
    return textwrap.dedent(inspect.getsource(inspect.unwrap(method)))


def methods(code):
    """The methods of the requests that this code sends."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = getattr(node.args[0], "value", None) if node.args else None
            if node.func.attr in ("request", "putrequest") and isinstance(first, str):
                found.add(first)
            if node.func.attr in ("send", "sendall") and isinstance(first, bytes):
                found.add(first.split(b" ")[0].decode("latin-1"))
    return found


class Outcome(unittest.TestResult):
    """Prints one line for each test."""

    def __init__(self, others):
        super().__init__()
        self.others = others
        self.counts = {}
        self.details = []
        self.failing = set()

    def say(self, what, test, more=""):
        self.counts[what] = self.counts.get(what, 0) + 1
        print(f"{what:8} {name(test)}{': ' if more else ''}{more}", flush=True)

    def addSuccess(self, test):
        if test.id() not in program.Program.asked:
            return self.others.append((name(test), LOCAL))
        if name(test) in DIFFERENT:
            return self.fail(test, "passes, but is noted as different: remove that note")
        self.say("pass", test)

    def addSkip(self, test, reason):
        self.say("skipped", test, reason)

    def addFailure(self, test, error):
        self.fail(test, self._exc_info_to_string(error, test))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.fail(test, f"{subtest}\n{self._exc_info_to_string(error, test)}")

    def fail(self, test, detail):
        if name(test) in self.failing:
            return self.details.append((name(test), detail))
        self.failing.add(name(test))
        if name(test) in DIFFERENT and "remove that note" not in detail:
            return self.say("differs", test, DIFFERENT[name(test)])
        self.say("FAIL", test)
        self.details.append((name(test), detail))


def report(outcome, others):
    """Tells what cannot apply, what failed and how, and last of all the numbers."""
    print(f"\n{len(others)} do not apply:")
    for test, reason in others:
        print(f"  {test}: {reason}")
    for test, detail in outcome.details:
        print(f"\nFAIL {test}\n{detail}")
    kinds = ("pass", "FAIL", "differs", "skipped")
    counts = [f"{outcome.counts.get(kind, 0)} {kind}" for kind in kinds]
    print(f"\nCPython's tests: {', '.join(counts)}, {len(others)} do not apply", flush=True)
    if not outcome.counts and not others:
        print("there is no such test")
        return 1
    return 1 if outcome.counts.get("FAIL") else 0

"""Selects and runs the tests of CPython that apply to sanserve, and reports the results."""

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
from differences import COMMON, every, name

# Tests that fail because CPython has changed since, or because sanserve differs on purpose.
DIFFERENT = COMMON | {
    "SimpleHTTPServerTestCase.test_extra_response_headers_dont_overwrite_default_headers":
        "--header rejects a field that the server sends itself; Python silently drops it",
}

LOCAL = "calls Python objects, not a server"

# The statuses of replies that are sent before a handler is called.
EARLY = {"BAD_REQUEST", "HTTP_VERSION_NOT_SUPPORTED"}


def run(path, names, cgi, verbose):
    """Runs the tests that apply. Returns the exit code."""
    program.patch(tests, path, verbose)
    version = platform.python_version()
    user = f", as user {os.geteuid()}" if hasattr(os, "geteuid") else ""
    print(f"tests of CPython {version} ({tests.__file__}){user}")
    print(f"against {path}\n")
    chosen, others = unittest.TestSuite(), []
    for test in every(unittest.defaultTestLoader.loadTestsFromModule(tests)):
        if names and not any(part in name(test) for part in names):
            continue
        reason = reason_not_to_run(test, cgi)
        if reason:
            others.append((name(test), reason))
        else:
            chosen.addTest(test)
    outcome = Outcome(others)
    chosen.run(outcome)
    return report(outcome, others)


def reason_not_to_run(test, cgi):
    """Returns why this test does not apply, or None if it does."""
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
    """Returns the methods of the requests that this code sends."""
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

    def record(self, verdict, test, more=""):
        self.counts[verdict] = self.counts.get(verdict, 0) + 1
        print(f"{verdict:8} {name(test)}{': ' if more else ''}{more}", flush=True)

    def addSuccess(self, test):
        if test.id() not in program.Program.users:
            return self.others.append((name(test), LOCAL))
        if name(test) in DIFFERENT:
            return self.fail(test, "passes, but is listed as different: remove the entry")
        self.record("pass", test)

    def addSkip(self, test, reason):
        self.record("skipped", test, reason)

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
        if name(test) in DIFFERENT and "remove the entry" not in detail:
            return self.record("differs", test, DIFFERENT[name(test)])
        self.record("FAIL", test)
        self.details.append((name(test), detail))


def report(outcome, others):
    """Prints the tests that do not apply, the failures, and the counts."""
    print(f"\n{len(others)} do not apply:")
    for test, reason in others:
        print(f"  {test}: {reason}")
    for test, detail in outcome.details:
        print(f"\nFAIL {test}\n{detail}")
    verdicts = ("pass", "FAIL", "differs", "skipped")
    counts = [f"{outcome.counts.get(verdict, 0)} {verdict}" for verdict in verdicts]
    print(f"\nCPython's tests: {', '.join(counts)}, {len(others)} do not apply", flush=True)
    if not outcome.counts and not others:
        print("no test has that name")
        return 1
    return 1 if outcome.counts.get("FAIL") else 0

"""Runs all tests of CPython in this process, with `sanserve.http.server` in place of `http.server`."""

import platform
import unittest

import http.server
from test import test_httpservers as tests

from differences import COMMON, every, name

# Tests that fail because sanserve differs on purpose.
DIFFERENT = COMMON | {
    "BaseHTTPServerTestCase.test_version_none_get":
        "sends a request line that ends with a space, which is neither HTTP/0.9 nor HTTP/1.1",
    "SimpleHTTPServerTestCase.test_browser_cache_with_If_None_Match_header":
        "If-None-Match: * is false if the file exists, so the reply is 304 (RFC 9110 section 13.1.2)",
}


def run(names):
    """Runs the tests with one of these texts in their name, by default all. Returns the exit code."""
    if "sanserve" not in http.server.__file__:
        raise SystemExit("http.server is that of the standard library")
    print(f"tests of CPython {platform.python_version()} ({tests.__file__})")
    print(f"with {http.server.__file__} as http.server\n")
    chosen = unittest.TestSuite(
        test for test in every(unittest.defaultTestLoader.loadTestsFromModule(tests))
        if not names or any(part in name(test) for part in names))
    outcome = Outcome()
    chosen.run(outcome)
    return report(outcome)


class Outcome(unittest.TestResult):
    """Counts the tests, and keeps the failures that are not listed as different."""

    def __init__(self):
        super().__init__()
        self.passed, self.differ, self.failed = set(), set(), {}

    def addSuccess(self, test):
        self.passed.add(name(test))

    def addFailure(self, test, error):
        if name(test) in DIFFERENT:
            self.differ.add(name(test))
        else:
            self.failed[name(test)] = self._exc_info_to_string(error, test)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)


def report(outcome):
    """Prints the tests that were not passed, and the counts. A listed test that passes is a failure, too."""
    for test in sorted(outcome.differ):
        print(f"differs  {test}: {DIFFERENT[test]}")
    for test, reason in outcome.skipped:
        print(f"skipped  {name(test)}: {reason}")
    for test in sorted(outcome.passed & set(DIFFERENT) - {"SimpleHTTPServerTestCase.test_undecodable_parameter"}):
        outcome.failed[test] = "passes, but is listed as different: remove the entry"
    for test, detail in outcome.failed.items():
        print(f"\nFAIL {test}\n{detail}")
    passed = len(outcome.passed - set(outcome.failed))
    print(f"\nCPython's tests in one process: {passed} pass, {len(outcome.failed)} FAIL, {len(outcome.differ)} differ, "
          f"{len(outcome.skipped)} skipped", flush=True)
    return 1 if outcome.failed or not outcome.testsRun else 0

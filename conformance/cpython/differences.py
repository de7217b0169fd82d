"""The tests of CPython that fail with the command and with the Python package, because sanserve differs on purpose."""

import unittest

COMMON = {
    "SimpleHTTPServerTestCase.test_undecodable_parameter":
        "since CPython 3.13.4 the title of a listing has no query (gh-133889)",
    "BaseHTTPServerTestCase.test_request_line_trimming":
        "sends HTTP/1.1 without a Host, which MUST be rejected (RFC 9112 section 3.2)",
    "SimpleHTTPServerTestCase.test_path_without_leading_slash":
        "a target must begin with a slash or a scheme, others SHOULD be rejected (RFC 9112 section 3)",
    "CGIHTTPServerTestCase.test_no_leading_slash":
        "the same",
    "SimpleHTTPServerTestCase.test_get_dir_redirect_location_domain_injection_bug":
        "the last of four redirects has the host of the request; here none has a host",
    "SimpleHTTPServerTestCase.test_list_dir_with_query_and_fragment":
        "a target has no fragment, which is only for the client (RFC 9112 section 3.2): 400",
    "SimpleHTTPServerTestCase.test_list_dir_undecodable_dirname2":
        "%ff is the byte FF of a name, as in other servers; Python takes it for U+FFFD",
    "CGIHTTPServerTestCase.test_large_content_length_truncated":
        "a script runs only when all of its content has arrived: an incomplete request is not processed "
        "(RFC 9112 section 8), and the length of content is limited",
}


def every(suite):
    """Returns the tests of a suite and of those in it."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from every(part)
        else:
            yield part


def name(test):
    """Returns the name by which a test is listed."""
    return ".".join(test.id().split(".")[-2:])

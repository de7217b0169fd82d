"""Makes `sanserve.http.server` stand for `http.server` in every Python that starts with this folder on PYTHONPATH."""

import importlib.abc
import importlib.util
import sys

import http
import sanserve.http.server


class Finder(importlib.abc.MetaPathFinder):
    """Finds `http.server` in the file of `sanserve.http.server`."""

    def find_spec(self, name, path, target=None):
        if name != "http.server":
            return None
        return importlib.util.spec_from_file_location(name, sanserve.http.server.__file__)


sys.meta_path.insert(0, Finder())
del sys.modules["http.server"], http.server

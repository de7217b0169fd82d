#!/usr/bin/env python3
"""The newest CPythons with their tests, from Debian's packages.

They are fetched with apt from Debian unstable, and need nothing of this machine: each comes with the
libraries that it was built for, in a folder of its own, and is started with them. Nothing is installed.
What is there is not fetched again; remove the folder to get newer ones.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sanserve", "cpython")
SOURCE = "deb [signed-by={}] http://deb.debian.org/debian unstable main\n"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# From that on the tests are those that are meant.
OLDEST = (3, 13)


def main():
    if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))) or not os.path.exists(KEYS):
        return print("not a Debian: no CPython is fetched")
    os.makedirs(CACHE, exist_ok=True)
    if kept():
        return print(f"there already: {', '.join(kept())}")
    with tempfile.TemporaryDirectory() as scratch:
        apt = Apt(scratch)
        fetched = [fetch(apt, version, scratch) for version in apt.versions()]
        # All or none, since what is there is not looked for again.
        for folder in fetched:
            keep(folder)
    print(f"fetched: {', '.join(kept()) or 'nothing'}")


def kept():
    """What starts the interpreters that were fetched, the newest first."""
    found = glob.glob(os.path.join(CACHE, "3.*", "python"))
    return sorted(found, key=lambda path: int(version_of(path).split(".")[1]), reverse=True)


def version_of(starter):
    return os.path.basename(os.path.dirname(starter))


class Apt:
    """apt with a state of its own, in which no package is installed."""

    def __init__(self, scratch):
        for folder in ("lists/partial", "archives/partial"):
            os.makedirs(os.path.join(scratch, folder))
        sources, status = os.path.join(scratch, "sources.list"), os.path.join(scratch, "status")
        with open(sources, "w") as file:
            file.write(SOURCE.format(KEYS))
        open(status, "w").close()
        self.archives = os.path.join(scratch, "archives")
        settings = {
            "APT::Install-Recommends": "false", "APT::Sandbox::User": "root",
            "Acquire::Languages": "none", "Acquire::Retries": "3", "Debug::NoLocking": "true",
            "Dir::Cache": scratch, "Dir::Cache::archives": self.archives,
            "Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": scratch, "Dir::State::lists": os.path.join(scratch, "lists"),
            "Dir::State::status": status,
        }
        self.settings = [f"-o{name}={value}" for name, value in settings.items()]
        self.run("apt-get", "update")

    def run(self, program, *arguments):
        command = [program, *self.settings, *arguments]
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout

    def versions(self):
        """Those of which there are tests."""
        names = self.run("apt-cache", "search", "--names-only", r"^libpython3\.[0-9]+-testsuite$")
        minors = map(int, re.findall(r"^libpython3\.(\d+)-testsuite", names, re.MULTILINE))
        return [f"3.{minor}" for minor in sorted(minors) if (3, minor) >= OLDEST]

    def packages(self, version):
        """The packages of an interpreter with its tests, and all that they need."""
        names = [f"python{version}-minimal", f"libpython{version}-stdlib",
                 f"libpython{version}-testsuite"]
        for file in glob.glob(os.path.join(self.archives, "*.deb")):
            os.remove(file)
        self.run("apt-get", "install", "--yes", "--download-only", *names)
        return glob.glob(os.path.join(self.archives, "*.deb"))


def fetch(apt, version, scratch):
    """Makes a folder of an interpreter. Returns its path."""
    folder = os.path.join(scratch, version)
    for package in apt.packages(version):
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    library = os.path.join(folder, "usr", "lib", f"python{version}")
    for name in os.listdir(os.path.join(library, "test")):
        if name not in TESTS:
            remove(os.path.join(library, "test", name))
    for name in ("etc", "var", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        remove(os.path.join(folder, name))
    return folder


def keep(folder):
    """Puts it where it stays."""
    version = os.path.basename(folder)
    place = os.path.join(CACHE, version)
    remove(place + ".new")
    shutil.copytree(folder, place + ".new", symlinks=True)
    os.rename(place + ".new", place)
    starter(place, version)


def starter(folder, version):
    """Writes what starts the interpreter in a folder. Returns its path."""
    [loader] = glob.glob(os.path.join(folder, "usr", "lib*", "**", "ld-linux*.so.*"), recursive=True)[:1]
    libraries = os.path.dirname(glob.glob(
        os.path.join(folder, "usr", "lib", "**", "libc.so.*"), recursive=True)[0])
    path = os.path.join(folder, "python")
    with open(path, "w") as script:
        script.write(f'#!/bin/sh\nexport PYTHONHOME="{folder}/usr"\n'
                     f'exec "{loader}" --library-path "{libraries}" '
                     f'"{folder}/usr/bin/python{version}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        return shutil.rmtree(path)
    if os.path.lexists(path):
        os.remove(path)


# What the tests of http.server need of all tests.
TESTS = {"__init__.py", "support", "certdata", "test_httpservers.py"}

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Downloads the newest CPythons with their tests from Debian unstable.

Each is unpacked to its own folder, together with the libraries that it needs, so that nothing is installed and nothing of
this machine is used. Existing versions are not downloaded again; remove the folder to get newer ones.
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
# The first version whose tests are used.
OLDEST = (3, 13)


def main():
    if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))) or not os.path.exists(KEYS):
        return print("not a Debian system: no CPython is downloaded")
    os.makedirs(CACHE, exist_ok=True)
    if kept():
        return print(f"already downloaded: {', '.join(kept())}")
    with tempfile.TemporaryDirectory() as scratch:
        apt = Apt(scratch)
        fetched = [fetch(apt, version, scratch) for version in apt.versions()]
        # All or none, because existing versions are not updated.
        for folder in fetched:
            keep(folder)
    print(f"downloaded: {', '.join(kept()) or 'nothing'}")


def kept():
    """Returns the starters of the downloaded interpreters, the newest first."""
    found = glob.glob(os.path.join(CACHE, "3.*", "python"))
    return sorted(found, key=lambda path: int(version_of(path).split(".")[1]), reverse=True)


def version_of(starter):
    return os.path.basename(os.path.dirname(starter))


class Apt:
    """apt with a separate state, in which no package is installed."""

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
        """Returns the versions that have tests."""
        names = self.run("apt-cache", "search", "--names-only", r"^libpython3\.[0-9]+-testsuite$")
        minors = map(int, re.findall(r"^libpython3\.(\d+)-testsuite", names, re.MULTILINE))
        return [f"3.{minor}" for minor in sorted(minors) if (3, minor) >= OLDEST]

    def packages(self, version):
        """Downloads the packages of an interpreter and its tests, with dependencies."""
        names = [f"python{version}-minimal", f"libpython{version}-stdlib",
                 f"libpython{version}-testsuite"]
        for file in glob.glob(os.path.join(self.archives, "*.deb")):
            os.remove(file)
        self.run("apt-get", "install", "--yes", "--download-only", *names)
        return glob.glob(os.path.join(self.archives, "*.deb"))


def fetch(apt, version, scratch):
    """Unpacks an interpreter to a folder. Returns its path."""
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
    """Copies an interpreter to the cache."""
    version = os.path.basename(folder)
    target = os.path.join(CACHE, version)
    remove(target + ".new")
    shutil.copytree(folder, target + ".new", symlinks=True)
    os.rename(target + ".new", target)
    starter(target, version)


def starter(folder, version):
    """Writes the script that starts the interpreter in a folder. Returns its path."""
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


# The files that the tests of http.server need.
TESTS = {"__init__.py", "support", "certdata", "test_httpservers.py"}

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs CPython's own tests of http.server, unchanged, against sanserve.

The tests are those of every CPython that `debian.py` has downloaded, otherwise those of the newest installed one. They start
a server and connect to it over a socket; here they start sanserve. With `--module` they run with the Python package
`sanserve` instead: all of them, in one process. See `python3 run.py --help`.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import debian

VERSIONS = ("3.15", "3.14", "3.13", "3.12")
PROBE = "import sys, test.test_httpservers; print(*sys.version_info[:2], sep='.')"
HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    options = read_options()
    if not options.inside:
        return start(options)
    # The interpreter may be started by a script.
    sys.executable = options.inside
    if options.module:
        import module
        return module.run(options.names)
    import suite
    return suite.run(options.program, options.names, options.cgi, options.verbose)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=built(), help="the server (default: %(default)s)")
    parser.add_argument("--module", metavar="FOLDER", help="test the package sanserve that is installed in this folder")
    parser.add_argument("--python", help="use the tests of this interpreter")
    parser.add_argument("--cgi", action="store_true", help="also run the tests of CGI")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the log of the server")
    parser.add_argument("--inside", metavar="PYTHON", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="run only tests with one of these in their name")
    return parser.parse_args()


def built():
    """Returns the path of the program that cargo builds."""
    root = os.path.dirname(os.path.dirname(HERE))
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(root, "target")
    return os.path.join(target, "debug", "sanserve" + (".exe" if os.name == "nt" else ""))


def start(options):
    """Runs this file again with each interpreter, and not as root."""
    if not options.module and not os.path.isfile(options.program):
        sys.exit(f"{options.program} does not exist: build it, or use --program")
    pythons = [options.python] if options.python else debian.kept() or find_python()
    if not pythons:
        print("SKIPPED: no CPython from 3.12 on with its tests (test.test_httpservers) was found")
        return 1 if os.environ.get("CI") else 0
    return max(run_with(os.path.abspath(python), options) for python in pythons)


def run_with(python, options):
    """Runs the tests of one interpreter."""
    with tempfile.TemporaryDirectory() as scratch:
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TMPDIR=os.path.join(scratch, "tmp"))
        os.mkdir(env["TMPDIR"])
        given, script, user = options.module or options.program, os.path.abspath(__file__), {}
        given = os.path.abspath(given)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            given, script, python, user = leave_root(scratch, env, given, python)
        command = [python, script, "--inside", python, "--module" if options.module else "--program", given]
        if options.module:
            env["PYTHONPATH"] = os.pathsep.join([os.path.join(os.path.dirname(script), "stand_in"), given])
        command += ["--cgi"] * options.cgi + ["--verbose"] * options.verbose + ["--", *options.names]
        return subprocess.run(command, env=env, cwd=env["TMPDIR"], **user).returncode


def find_python():
    """Returns a list with an installed interpreter that has the tests, or an empty list."""
    candidates = []
    for version in VERSIONS:
        candidates.append(shutil.which("python" + version))
        pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
        candidates += sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"))
    candidates.append(sys.executable)
    for python in filter(None, candidates):
        found = subprocess.run([python, "-c", PROBE], capture_output=True, text=True)
        if found.returncode == 0 and found.stdout.strip() in VERSIONS:
            return [python]
    return []


def leave_root(scratch, env, given, python):
    """Makes all files readable for the user nobody. As root, the tests of CGI refuse to run, and no file is unreadable."""
    os.chmod(scratch, 0o755)
    os.chmod(env["TMPDIR"], 0o777)
    scripts = shutil.copytree(HERE, os.path.join(scratch, "cpython"))
    if os.path.isdir(given):
        given = shutil.copytree(given, os.path.join(scratch, "site"))
    else:
        given = shutil.copy(given, scratch)
    try:
        import grp
        import pwd
        nobody = pwd.getpwnam("nobody")
        grp.getgrgid(nobody.pw_gid)
    except (ImportError, KeyError):
        print("there is no user nobody: tests that need an unreadable file are skipped as root")
        return given, os.path.join(scripts, "run.py"), python, {}
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    env["HOME"] = env["TMPDIR"]
    try:
        subprocess.run([python, "-c", PROBE], check=True, capture_output=True, cwd="/", **user)
    except (OSError, subprocess.CalledProcessError):
        python = copy_python(python, scratch)
    return given, os.path.join(scripts, "run.py"), python, user


def copy_python(python, scratch):
    """Copies an interpreter that other users cannot read. A script starts it, because it may look for its library where it was
    installed."""
    if python in debian.kept():
        copy = os.path.join(scratch, "python")
        shutil.copytree(os.path.dirname(python), copy, symlinks=True)
        return debian.starter(copy, debian.version_of(python))
    probe = "import sys; print(sys.base_prefix); print('%d.%d' % sys.version_info[:2])"
    prefix, version = subprocess.check_output([python, "-c", probe], text=True).split("\n")[:2]
    copy = os.path.join(scratch, "python")
    os.makedirs(os.path.join(copy, "bin"))
    shutil.copy(f"{prefix}/bin/python{version}", f"{copy}/bin")
    shutil.copytree(f"{prefix}/lib/python{version}", f"{copy}/lib/python{version}", ignore=unneeded)
    for library in glob.glob(f"{prefix}/lib/libpython*"):
        shutil.copy(library, f"{copy}/lib")
    starter = os.path.join(copy, "python")
    with open(starter, "w") as script:
        script.write(f'#!/bin/sh\nexport LD_LIBRARY_PATH="{copy}/lib"\n'
                     f'exec "{copy}/bin/python{version}" "$@"\n')
    os.chmod(starter, 0o755)
    return starter


def unneeded(directory, names):
    if os.path.basename(directory) == "test":
        wanted = {"__init__.py", "support", "certdata", "test_httpservers.py"}
        return set(names) - wanted
    unwanted = {"site-packages", "__pycache__", "idlelib", "ensurepip", "tkinter", "lib2to3"}
    return {name for name in names if name in unwanted or name.startswith("config-")}


if __name__ == "__main__":
    sys.exit(main())

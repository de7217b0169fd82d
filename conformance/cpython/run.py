#!/usr/bin/env python3
"""CPython's own tests of http.server, unchanged, against the program.

The tests are those of every CPython that `debian.py` has fetched, or else of an installed one, the newest that
there is. They start a server and talk to it over a socket; here they get another server. `python3 run.py --help`
tells the rest.
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
    # What starts it is not always the interpreter itself.
    sys.executable = options.inside
    import suite
    return suite.run(options.program, options.names, options.cgi, options.verbose)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=built(), help="the server (default: %(default)s)")
    parser.add_argument("--python", help="the interpreter whose tests to take")
    parser.add_argument("--cgi", action="store_true", help="the tests of CGI, too")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what the program logs")
    parser.add_argument("--inside", metavar="PYTHON", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="run only tests with one of these in their name")
    return parser.parse_args()


def built():
    """Where cargo puts the program."""
    root = os.path.dirname(os.path.dirname(HERE))
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(root, "target")
    return os.path.join(target, "debug", "sanserve" + (".exe" if os.name == "nt" else ""))


def start(options):
    """Runs this file again: with the interpreter that is wanted, and not as root."""
    if not os.path.isfile(options.program):
        sys.exit(f"there is no program {options.program}: build it, or name it with --program")
    pythons = [options.python] if options.python else debian.kept() or find_python()
    if not pythons:
        print("SKIPPED: no CPython from 3.12 on with its tests (test.test_httpservers) was found")
        return 1 if os.environ.get("CI") else 0
    return max(run_with(os.path.abspath(python), options) for python in pythons)


def run_with(python, options):
    """Runs the tests of one interpreter."""
    with tempfile.TemporaryDirectory() as scratch:
        place = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", TMPDIR=os.path.join(scratch, "tmp"))
        os.mkdir(place["TMPDIR"])
        program, script, user = os.path.abspath(options.program), os.path.abspath(__file__), {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            program, script, python, user = leave_root(scratch, place, program, python)
        command = [python, script, "--inside", python, "--program", program]
        command += ["--cgi"] * options.cgi + ["--verbose"] * options.verbose + ["--", *options.names]
        return subprocess.run(command, env=place, cwd=place["TMPDIR"], **user).returncode


def find_python():
    """An installed interpreter that has the tests, in a list, or none."""
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


def leave_root(scratch, place, program, python):
    """Makes all that is needed readable to the user nobody. The tests of CGI refuse root, and
    nothing is unreadable to it."""
    os.chmod(scratch, 0o755)
    os.chmod(place["TMPDIR"], 0o777)
    scripts = shutil.copytree(HERE, os.path.join(scratch, "cpython"))
    program = shutil.copy(program, scratch)
    try:
        import grp
        import pwd
        nobody = pwd.getpwnam("nobody")
        grp.getgrgid(nobody.pw_gid)
    except (ImportError, KeyError):
        print("there is no user nobody: as root, what needs an unreadable file is skipped")
        return program, os.path.join(scripts, "run.py"), python, {}
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    place["HOME"] = place["TMPDIR"]
    try:
        subprocess.run([python, "-c", PROBE], check=True, capture_output=True, cwd="/", **user)
    except (OSError, subprocess.CalledProcessError):
        python = copy_python(python, scratch)
    return program, os.path.join(scripts, "run.py"), python, user


def copy_python(python, scratch):
    """Copies an interpreter that is not for everybody. It is started by a script, since it may
    look for its library where it was installed."""
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

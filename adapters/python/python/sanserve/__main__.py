"""Runs the command ``sanserve``, which is installed beside this package."""

import os
import subprocess
import sys
import sysconfig


def find_program():
    """Returns the path of the program that the wheel has installed."""
    name = "sanserve" + (sysconfig.get_config_var("EXE") or "")
    schemes = [sysconfig.get_default_scheme()]
    if hasattr(sysconfig, "get_preferred_scheme"):
        schemes.append(sysconfig.get_preferred_scheme("user"))
    folders = [sysconfig.get_path("scripts", scheme) for scheme in schemes]
    # A package that was installed with --target has its scripts beside it.
    package = os.path.dirname(os.path.abspath(__file__))
    folders.append(os.path.join(os.path.dirname(package), "bin"))
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"the program {name} is in none of {', '.join(folders)}: install sanserve again")


def main():
    """Becomes the program, so that signals and the exit status are its own."""
    program = find_program()
    if os.name == "posix":
        os.execv(program, [program, *sys.argv[1:]])
    try:
        sys.exit(subprocess.run([program, *sys.argv[1:]]).returncode)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

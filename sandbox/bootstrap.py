"""Make the virtual environment from Pipfile.lock, once, and hand over to `python -m sandbox` in it.

Runs on a bare Python with the standard library. Two starts at once wait for each other; an install that was cut short
is begun again from nothing, because half a package looks to pip like a whole one.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / ".tool"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"
UNFINISHED = TOOL / "unfinished"
LOG = TOOL / "install.log"
PIPENV = "pipenv==2026.10.3"


def fail(line: str) -> NoReturn:
    print(line, file=sys.stderr)
    raise SystemExit(1)


def wanted() -> str:
    """What the environment must hold: changes whenever the lock does."""
    try:
        return hashlib.sha256((ROOT / "Pipfile.lock").read_bytes()).hexdigest()
    except OSError as error:
        fail(f"Cannot read {ROOT / 'Pipfile.lock'}: {error.strerror}.")


def installed() -> str | None:
    """What the environment does hold, None where it is missing or unfinished."""
    with suppress(OSError):
        if PYTHON.exists() and not UNFINISHED.exists():
            return STAMP.read_text()
    return None


def call(*command: str, doing: str) -> None:
    environment = {
        **{
            name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
        },
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_DONT_LOAD_ENV": "1",
        "PIPENV_DONT_USE_PYENV": "1",
        "PIPENV_DONT_USE_ASDF": "1",
        "PIPENV_PIPFILE": str(ROOT / "Pipfile"),
        "PIPENV_NOSPIN": "1",
        "PIPENV_YES": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "NO_COLOR": "1",
    }
    with LOG.open("ab") as log:
        start = log.tell()
        code = subprocess.call(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False
        )
    if code:
        said = LOG.read_bytes()[start:].decode(errors="replace").splitlines()
        lines = [line.strip() for line in said if line.strip()]
        # pip names the cause in its first ERROR line; what follows it is pipenv's own trace.
        cause = next((line for line in lines if line.startswith("ERROR:")), lines[-1] if lines else f"exit code {code}")
        fail(f"{doing} failed: {cause} (all of it: {LOG})")


def make_venv(folder: Path) -> None:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        fail(f"Python's venv module is missing; on Debian and Ubuntu: apt-get install python{version}-venv")
    call(sys.executable, "-m", "venv", "--clear", str(folder), doing=f"Making {folder}")


def runs(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.call([python, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def install(lock: str) -> None:
    """Bring `.venv` to the lock. The caller holds the lock file."""
    print(
        "Installing the packages of Pipfile.lock (the first time takes about a minute) ...", file=sys.stderr, flush=True
    )
    with suppress(FileNotFoundError):
        LOG.unlink()
    tool = TOOL / "env" / "bin"
    if not ((tool / "pipenv").exists() and runs(tool / "python")):
        make_venv(TOOL / "env")
        call(str(tool / "python"), "-m", "pip", "install", "--quiet", PIPENV, doing="Installing pipenv")
    if UNFINISHED.exists() or not runs(PYTHON):
        UNFINISHED.touch()
        make_venv(VENV)
    UNFINISHED.touch()
    try:
        call(str(tool / "pipenv"), "sync", "--dev", doing="Installing the packages")
    except SystemExit:
        UNFINISHED.unlink()  # pip takes back what it could not finish; only one that was killed leaves halves
        raise
    STAMP.write_text(lock)
    UNFINISHED.unlink()


def ensure_installed() -> None:
    lock = wanted()
    if installed() == lock:
        return
    try:
        TOOL.mkdir(exist_ok=True)
        guard = (TOOL / "lock").open("w")
    except OSError as error:
        fail(f"Cannot write to {TOOL}: {error.strerror}.")
    with guard:
        # What is called inherits the lock: an installer that outlives a killed start keeps the next one waiting.
        os.set_inheritable(guard.fileno(), True)
        fcntl.flock(guard, fcntl.LOCK_EX)
        if installed() == lock:
            return
        try:
            install(lock)
        except OSError as error:
            fail(f"Cannot install the packages: {error.filename or ROOT}: {error.strerror}.")


def main() -> None:
    try:
        ensure_installed()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    os.chdir(ROOT)
    # The sandbox of this checkout must be found first, whatever the caller's own path says.
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE"):
        os.environ.pop(name, None)
    os.execv(PYTHON, [str(PYTHON), "-m", "sandbox", *sys.argv[1:]])


if __name__ == "__main__":
    main()

"""pgbouncer itself, with the file of deploy/, in front of the tests' database.

Where the machine has none it is taken from Debian's packages, into a folder of the checkout that git ignores.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from sandbox.demo import listens
from sandbox.postgres import nobody
from sandbox.processes import Child, Watcher
from tests.deploy.linters import REQUIRED, ROOT
from tests.serving import eventually, quiet_port

FILE = ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini"
CACHE = ROOT / ".tool" / "pgbouncer"
# What it stands on and not every machine has; each release of Debian and Ubuntu has names of its own for their packages.
NEEDED = re.compile(r"Depends: (libevent\S*|libc-ares\S*|libcares\S*)$", re.MULTILINE)
LIBRARIES = ("libevent-2.1.so.7", "libcares.so.2")
INSTALL_SECONDS = 240


def program() -> tuple[Path, list[Path]]:
    """pgbouncer and the libraries that came with it. Skips the test where it cannot be had."""
    found = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if found:
        return Path(found), []
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "installed").is_file():
            _install()
            (CACHE / "installed").touch()
    libraries = [path for name in LIBRARIES for path in (CACHE / "root").rglob(name)]
    return CACHE / "root" / "usr" / "sbin" / "pgbouncer", libraries


def _install() -> None:
    shutil.rmtree(CACHE / "root", ignore_errors=True)
    try:
        done = _download()
        if done.returncode and os.geteuid() == 0:
            _run(["apt-get", "update"])
            done = _download()
        problem = done.stderr.strip()[-300:] if done.returncode else ""
        for package in [] if problem else sorted(CACHE.glob("*.deb")):
            _run(["dpkg", "--extract", str(package), str(CACHE / "root")]).check_returncode()
    except FileNotFoundError:
        problem = "this is no Debian"
    except subprocess.SubprocessError as error:
        problem = str(error)
    if problem and REQUIRED:
        pytest.fail(f"pgbouncer cannot be installed: {problem}")
    if problem:
        pytest.skip(f"pgbouncer cannot be installed, so nothing goes through it: {problem}")


def _download() -> subprocess.CompletedProcess[str]:
    needed = NEEDED.findall(_run(["apt-cache", "depends", "--important", "pgbouncer"]).stdout)
    return _run(["apt-get", "download", "pgbouncer", *needed])


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip


@contextmanager
def running_pool(folder: Path, *, mode: str, connections: int, instead: Mapping[str, str]) -> Iterator[int]:
    """The port of a pool that lends `connections` to the test's database; `instead` are lines of its file given otherwise."""
    binary, libraries = program()
    given, port = connection.settings_dict, quiet_port()
    text = FILE.read_text()
    for old, new in {
        "host=postgres port=5432 dbname=holdfast": "host={HOST} port={PORT} dbname={NAME}".format(**given),
        "pool_mode = transaction": f"pool_mode = {mode}",
        "default_pool_size = 20": f"default_pool_size = {connections}",
        "listen_addr = *": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {port}",
        "/etc/pgbouncer/userlist.txt": "userlist.txt",
        **instead,
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "pgbouncer.ini").write_text(text)
    (folder / "userlist.txt").write_text('"{USER}" "{PASSWORD}"\n'.format(**given))
    # It does not run as root, and nobody else may go where it lies: it is started in its folder, with all it needs in there.
    shutil.copy(binary, folder / "pgbouncer")
    for library in libraries:
        shutil.copy(library, folder)
    account = nobody() if os.geteuid() == 0 else None
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, *account)
    watcher = Watcher()
    child = Child(
        "pgbouncer", ["./pgbouncer", "pgbouncer.ini"], log=folder / "log", watcher=watcher,
        environment={"LD_LIBRARY_PATH": "."}, folder=folder, account=account, stop_signal=signal.SIGINT,
    )  # fmt: skip
    try:
        child.start()
        eventually(lambda: listens(port), "pgbouncer listens")
        yield port
    finally:
        child.stop()
        watcher.close()

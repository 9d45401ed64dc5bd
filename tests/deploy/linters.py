"""The linters of what is deployed: programs of their own, installed once into a folder of the checkout that git ignores.

They are large and no part of the product or of its development, so they are not among the packages of the lock.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("linters.txt")
CACHE = ROOT / ".tool" / "linters"
INSTALL_SECONDS = 240
RUN_SECONDS = 300
# Where a machine must not be let off for what it could not install: continuous integration says so.
REQUIRED = os.environ.get("CI") == "true"


def linters() -> Path:
    """The folder they are in. Skips the test where they cannot be had."""
    folder = CACHE / hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder)
            (folder / "installed").touch()
    return folder


def _install(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--no-compile"]
    command += ["--only-binary", ":all:", "--disable-pip-version-check", "--target", str(folder), "-r", str(LIST)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        problem = done.stderr.strip()[-300:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = f"it took more than {INSTALL_SECONDS} s"
    if problem and REQUIRED:
        pytest.fail(f"the linters cannot be installed: {problem}")
    if problem:
        pytest.skip(f"the linters cannot be installed, so nothing is linted: {problem}")


def complaints(program: str, *arguments: str, folder: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """What the linter says, run in `folder`; "" where it has nothing to say against it."""
    found = linters()
    inside = found / program.replace("-", "_") / "bin" / program.partition("-")[0]
    if inside.is_file():
        inside.chmod(0o755)
        command = [str(inside)]
    elif (found / program.replace("-", "_")).is_dir():
        command = [sys.executable, "-m", program.replace("-", "_")]
    else:
        command = [str(found / "bin" / program)]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={
            "PATH": f"{found / 'bin'}:/usr/bin:/bin",
            "PYTHONPATH": str(found),
            "NO_COLOR": "1",
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""

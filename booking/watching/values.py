"""Where the processes of one machine keep what they count, so that each of them can show all of it."""

import os
import stat
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def keep_values_in(folder: Path) -> None:
    """Must be called before `prometheus_client` is imported. Raises OSError where the folder cannot be had for ourselves."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    # In a folder for temporary files anybody may have laid one of that name, or a link, before us.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder that is ours alone")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written to")
    os.environ[VARIABLE] = str(folder)

"""Where the processes of one machine keep what they count, so that each of them can show all of it."""

import os
import stat
import sys
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def keep_values_in(folder: Path) -> None:
    """Raises OSError where the folder cannot be had for ourselves, and RuntimeError where `prometheus_client` is there already:
    it would keep the values of this process to itself.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client was imported before the settings; import apps.core.metrics instead")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    # In a folder for temporary files anybody may have laid one of that name, or a link, before us.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder that is ours alone")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written to")
    os.environ[VARIABLE] = str(folder)

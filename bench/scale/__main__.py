"""Does a market of a million listings answer as fast as one of fifty thousand? See README.md beside this file.

python -m bench.scale serve --folder /var/tmp/market       # a PostgreSQL on the folder until Ctrl-C; says its address
DATABASE_URL=... python -m bench.scale make --listings 1000000
DATABASE_URL=... python -m bench.scale measure [--out FILE] [--plans FOLDER] [--only NAME]
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from bench.database import UNUSED
from sandbox.folder import ROOT


def serve(folder: Path) -> int:
    from bench.scale.server import kept_database

    with kept_database(folder) as database:
        print(f"DATABASE_URL={database.settings['DATABASE_URL']}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


def on_the_database(step: str, arguments: list[str]) -> int:
    """Run the step in a process of the product, on the database of DATABASE_URL."""
    if not os.environ.get("DATABASE_URL"):
        raise SystemExit("Say in DATABASE_URL which database; `python -m bench.scale serve` starts one.")
    environment = {**UNUSED, "SECRET_KEY": "x" * 50, **os.environ}
    command = [sys.executable, "-m", f"bench.scale.{step}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=["serve", "make", "measure", "load"])
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/holdfast-market"))
    options, arguments = parser.parse_known_args()
    if options.step == "serve":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        return serve(options.folder)
    if options.step == "load":
        from bench.scale import load

        return load.main(arguments)
    return on_the_database(options.step, arguments)


if __name__ == "__main__":
    sys.exit(main())

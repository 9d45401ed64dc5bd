"""`./run manage` and `./run shell`: Django's command line on the demo's data."""

import os
import signal
import subprocess
import sys

from sandbox.configuration import demo_settings, port_of, process_environment, stated, webhook_url
from sandbox.folder import ROOT, DataFolder, Held, data_folder, running_environment
from sandbox.processes import Watcher, die_with_parent
from sandbox.servers import (
    Server,
    Stopped,
    ignore_signals,
    missing_servers,
    settings_of,
    start_all,
    stop_all,
    stop_on_signals,
)


def manage(arguments: list[str]) -> int:
    """Run manage.py with the settings of the running demo, else with servers that live as long as the command.

    Returns its exit code. Raises Problem.
    """
    path = data_folder(os.environ)
    try:
        folder = DataFolder(path)
    except Held as held:
        settings = running_environment(path, held.pid)
        environment = process_environment({**settings, **stated(os.environ, settings)})
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "manage.py", *arguments], environment)
    servers: list[Server] = []
    watcher = Watcher(keep=[folder.lock])
    stop_on_signals()
    try:
        port = port_of(os.environ)
        servers += missing_servers(
            os.environ, path, secret=folder.secret, watcher=watcher, webhook_url=webhook_url(port), keep=True
        )
        start_all(servers)
        settings = demo_settings(folder, port, os.environ) | settings_of(servers)
        folder.write_state(settings)
        return run_with(settings, arguments)
    except Stopped:
        return 130
    finally:
        ignore_signals()
        stop_all(servers)
        watcher.close()
        folder.close()


def run_with(settings: dict[str, str], arguments: list[str]) -> int:
    """Run it in the foreground: the terminal and its Ctrl-C are its own."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=process_environment(settings),
        preexec_fn=die_with_parent(signal.SIGTERM, os.getpid()),
    )
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    except Stopped:
        process.terminate()
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
    return code if code >= 0 else 128 - code

"""A PostgreSQL of our own for the peer that wants one: Debian's, on loopback, as durable as it is by default."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ekiden_native.ports import free_port
from ekiden_native.provision import provide_postgresql

MEMORY = "512MB"
"""As mongod's cache."""


@contextmanager
def postgresql() -> Generator[tuple[str, int]]:
    """Its address and its process id. Started by root it runs as Debian's user postgres: it refuses to be root."""
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    programs, port = provide_postgresql(), free_port(set())

    def do(program: str, *arguments: str | Path) -> None:
        subprocess.run([programs / program, *arguments], check=True, capture_output=True, user=user)

    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, user)
        data, log = Path(folder) / "data", Path(folder) / "log"
        do("initdb", "-D", data, "-A", "trust", "-U", user)
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "shared_buffers": MEMORY,
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        do("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
        try:
            pid = int((data / "postmaster.pid").read_text().split()[0])
            yield f"postgresql://{user}@127.0.0.1:{port}/postgres", pid
        finally:
            do("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")

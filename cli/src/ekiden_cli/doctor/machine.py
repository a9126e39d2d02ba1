"""What can be seen without asking anybody: Python, libraries, variables, keys."""

import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distributions, requires, version

from packaging.requirements import Requirement

from ekiden.settings import unknown_names
from ekiden_cli.doctor.finding import Finding, failed, ok, warning

_OLDEST_PYTHON = (3, 11)
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
        elif not key.startswith(prefix) and f"{name.removesuffix('_API_KEY')}_BASE_URL" not in environ:
            yield warning(provider, f"{name} does not begin with {prefix}", "Look whether it is the right key.")
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

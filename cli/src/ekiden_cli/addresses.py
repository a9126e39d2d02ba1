"""Where the stack is: what the environment says, else what the native stack wrote down, else the usual address."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

USUAL_GATEWAY = "http://127.0.0.1:8000"
STATE_DIR = ".local"
ENV_FILE = "stack.env"


@dataclass(frozen=True)
class Addresses:
    """The addresses in use. `source` says where they are from, `gateway_from` the gateway's; what nobody told is None.

    `state_dir` is the folder of the native stack that they were found in.
    """

    gateway_url: str
    amqp_url: str | None
    mongodb_url: str | None
    mongodb_database: str
    simulator_url: str | None
    api_key: str | None
    source: str
    gateway_from: str = "the usual one"
    state_dir: Path | None = None


def find_addresses(environ: Mapping[str, str], folder: Path) -> Addresses:
    """Look in the environment, then in `stack.env` below EKIDEN_STATE_DIR or the nearest `.local/` from `folder` up."""
    env_file = find_env_file(environ, folder)
    told = read_env(env_file) if env_file else {}
    asked = {name: value for name, value in environ.items() if value}
    known = {**told, **asked}
    gateway_url, gateway_from = _gateway(asked, told, str(env_file))
    return Addresses(
        gateway_url=gateway_url,
        amqp_url=known.get("EKIDEN_AMQP_URL"),
        mongodb_url=known.get("EKIDEN_MONGODB_URL"),
        mongodb_database=known.get("EKIDEN_MONGODB_DATABASE", "ekiden"),
        simulator_url=known.get("EKIDEN_SIMULATOR_URL"),
        api_key=known.get("EKIDEN_API_KEY"),
        source=str(env_file) if told else "the environment and defaults",
        gateway_from=gateway_from,
        state_dir=env_file.parent if env_file else None,
    )


def find_env_file(environ: Mapping[str, str], folder: Path) -> Path | None:
    """Return the stack's file of addresses, or None where there is none."""
    if state_dir := environ.get("EKIDEN_STATE_DIR"):
        candidates = [folder / state_dir / ENV_FILE]
    else:
        candidates = [parent / STATE_DIR / ENV_FILE for parent in (folder, *folder.parents)]
    return next((path for path in candidates if path.is_file()), None)


def read_env(path: Path) -> dict[str, str]:
    """Read KEY=value lines as a shell would."""
    words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def _gateway(asked: Mapping[str, str], told: Mapping[str, str], env_file: str) -> tuple[str, str]:
    """An address and where it is from. A URL beats a port, the environment beats what the stack wrote down."""
    for source, where in ((asked, ""), (told, f"{env_file}: ")):
        if url := source.get("EKIDEN_GATEWAY_URL"):
            return url.rstrip("/"), f"{where}EKIDEN_GATEWAY_URL"
        if port := source.get("EKIDEN_GATEWAY_PORT"):
            host = source.get("EKIDEN_GATEWAY_HOST", "127.0.0.1")
            place = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 (compared only)
            return f"http://{place}:{port}", f"{where}EKIDEN_GATEWAY_PORT"
    return USUAL_GATEWAY, "no setting: it is the usual one"

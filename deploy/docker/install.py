"""Install what a pyproject.toml needs in the lock's versions and with the lock's hashes, and note what it describes.

`python install.py services/gateway/pyproject.toml`, with requirements.lock beside this file. Run while an image is
built, by the Python it installs for.
"""

import json
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def main() -> None:
    project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
    wanted = [name for name in project["dependencies"] if name != "ekiden"]  # which is copied, as code is
    if wanted:
        _install(_closure(wanted))
    _note(project["name"], project["version"])


def _note(name: str, version: str) -> None:
    """Say what the code is that is copied later, as if it were installed: `importlib.metadata` is asked for it."""
    folder = Path(sysconfig.get_path("purelib"), f"{name.replace('-', '_')}-{version}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")


def _closure(wanted: list[str]) -> set[str]:
    """The names of all packages that are missing: pip says which, given the lock's versions."""
    with tempfile.TemporaryDirectory() as folder:
        versions, report = Path(folder, "versions.txt"), Path(folder, "report.json")
        versions.write_text(re.sub(r" \\\n +--hash=\S+", "", LOCK.read_text(encoding="utf-8")), encoding="utf-8")
        said = ("--dry-run", "--report", report, "--constraint", versions)
        subprocess.run([*PIP, *said, *wanted], check=True)
        return {_normal(each["metadata"]["name"]) for each in json.loads(report.read_bytes())["install"]}


def _install(names: set[str]) -> None:
    """Hashes are checked only by a list that has them for all: the lock's entries for these names, no others."""
    lock = re.split(r"\n(?=\S)", LOCK.read_text(encoding="utf-8"))
    entries = {_normal(re.split(r"[=\[ ;]", entry)[0]): entry for entry in lock}
    if unknown := names - entries.keys():
        sys.exit(f"Not in requirements.lock: {', '.join(sorted(unknown))}. Run: make lock")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as chosen:
        chosen.write("\n".join(entries[name] for name in sorted(names)))
        chosen.flush()
        subprocess.run([*PIP, "--no-deps", "--require-hashes", "--requirement", chosen.name], check=True)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


main()

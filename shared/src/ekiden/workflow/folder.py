"""A workflow's folder: its files as texts, with what keeps one from being read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ekiden.errors import Mistake

LARGEST_FILE = 256 * 1024
MOST_FILES = 500
_NOT_OURS = "is no file of a workflow: it has workflow.yaml, prompts/<language>/<name>.md.j2 and schemas/<name>.json"


@dataclass
class Files:
    """Texts by their path below the folder, with / on every system."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])


def read_files(folder: Path) -> Files:
    """Read a workflow's files. Never raises: what cannot be read is a mistake."""
    files = Files()
    for path in _listed(folder, files):
        name = shown(path.relative_to(folder).as_posix())
        try:
            text = _text(path, folder, name)
        except _Unreadable as error:
            files.mistakes.append(Mistake(name, error.line, error.what))
        else:
            files.texts[name] = text
    return files


def folders_in(parent: Path) -> list[Path]:
    """The workflows' folders right below a folder, by name. Never raises: where nothing can be listed there is none."""
    try:
        names = sorted(os.listdir(parent))
    except OSError:
        return []
    return [parent / name for name in names if os.path.lexists(parent / name / "workflow.yaml")]


def shown(name: str) -> str:
    """A file's name as it can be printed, whatever the file system holds."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass
class _Unreadable(Exception):
    what: str
    line: int | None = None


def _listed(folder: Path, files: Files) -> Iterator[Path]:
    for found, path in enumerate(_walked(folder, files), 1):
        if found > MOST_FILES:
            files.mistakes.append(Mistake(".", None, f"holds more than {MOST_FILES} files"))
            return
        parts = path.relative_to(folder).parts
        if parts == ("workflow.yaml",) or (
            (len(parts) == 3 and parts[0] == "prompts" and path.name.endswith(".md.j2"))
            or (len(parts) == 2 and parts[0] == "schemas" and path.suffix == ".json")
        ):
            yield path
        else:
            files.mistakes.append(Mistake(shown("/".join(parts)), None, _NOT_OURS))


def _walked(folder: Path, files: Files) -> Iterator[Path]:
    """What is in the folder's two subfolders; what an editor or a system hides there is left alone."""
    try:
        os.lstat(folder / "workflow.yaml")
    except (OSError, ValueError) as error:
        files.mistakes.append(Mistake("workflow.yaml", None, f"cannot be read: {_why(error)}"))
    else:
        yield folder / "workflow.yaml"
    for part in ("prompts", "schemas"):
        try:
            os.stat(folder / part)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        except OSError as error:
            _unlisted(error, folder, files)
            continue
        for root, below, names in os.walk(folder / part, onerror=lambda error: _unlisted(error, folder, files)):
            below[:] = sorted(name for name in below if not name.startswith("."))
            yield from (Path(root) / name for name in sorted(names) if not name.startswith("."))
            linked = [name for name in below if os.path.islink(Path(root) / name)]
            yield from (Path(root) / name for name in linked)


def _unlisted(error: OSError, folder: Path, files: Files) -> None:
    name = os.path.relpath(error.filename or folder, folder)
    files.mistakes.append(Mistake(shown(name), None, f"cannot be listed: {_why(error)}"))


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _text(path: Path, folder: Path, name: str) -> str:
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise _Unreadable("is a symbolic link that leads out of the folder: copy the file")
        if not path.is_file():
            raise _Unreadable("is no file")
        if path.stat().st_size > LARGEST_FILE:
            raise _Unreadable(f"is larger than {LARGEST_FILE // 1024} KiB")
        content = path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        raise _Unreadable(f"cannot be read: {_why(error)}") from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Unreadable(f"is not UTF-8: {error.reason}", line) from error

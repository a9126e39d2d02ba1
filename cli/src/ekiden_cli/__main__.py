"""`ekiden`, and `python -m ekiden_cli`: every error becomes a sentence and an exit code, never a traceback."""

import json
import os
import sys
import traceback

from ekiden_cli.app import make_app
from ekiden_cli.errors import CliError, Exit


def main() -> None:
    """Run the command that the arguments name."""
    try:
        make_app()()
    except CliError as error:
        sys.exit(_tell(error))
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
    except Exception as error:
        sys.exit(_confess(error))


def _tell(error: CliError) -> Exit:
    if "--json" in sys.argv:
        print(json.dumps({"error": error.document()}, ensure_ascii=False, indent=2))
    print("\n".join(line for line in (str(error), error.help) if line), file=sys.stderr)
    return error.exit_code


def _confess(error: Exception) -> Exit:
    """A bug of ours: one sentence, and the traceback for whoever asks for it."""
    if os.environ.get("EKIDEN_LOG_LEVEL") == "debug":
        traceback.print_exception(error)
    print(
        f"This is a bug in ekiden: {type(error).__name__}: {error}\n"
        "Set EKIDEN_LOG_LEVEL=debug to see where, and please report it.",
        file=sys.stderr,
    )
    return Exit.FAILED


if __name__ == "__main__":
    main()

"""`ekiden`, and `python -m ekiden_cli`: every error becomes a sentence and an exit code, never a traceback."""

import os
import sys
import traceback

from ekiden_cli.app import make_app
from ekiden_cli.errors import CliError, Exit, document_of, exit_of, help_for
from ekiden_cli.terminal import as_json, tolerate_encodings
from ekiden_client import EkidenError


def main() -> None:
    """Run the command that the arguments name."""
    tolerate_encodings()
    try:
        make_app()()
    except (CliError, EkidenError) as error:
        sys.exit(_tell(error))
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # the reader, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(Exit.OK)
        raise
    except Exception as error:
        sys.exit(_confess(error))


def _tell(error: CliError | EkidenError) -> Exit:
    if "--json" in sys.argv:
        print(as_json({"error": document_of(error)}, indent=2))
    print("\n".join(line for line in (str(error), help_for(error)) if line), file=sys.stderr)
    return exit_of(error)


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

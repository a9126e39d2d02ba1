"""`python -m ekiden_simulator`: run the simulator until it is told to stop."""

import sys

from ekiden_simulator.app import create_server
from ekiden_simulator.settings import SettingsError, read_settings


def main() -> None:
    """Read the settings and serve; a mistake in them ends the process with status 2 and names every one."""
    try:
        settings = read_settings()
    except SettingsError as error:
        sys.exit(_complain(error))
    create_server(settings).run()


def _complain(error: SettingsError) -> int:
    sys.stderr.write(f"ekiden-simulator cannot start:\n{error}\n")
    return 2


if __name__ == "__main__":
    main()

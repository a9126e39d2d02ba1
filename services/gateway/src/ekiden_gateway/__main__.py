"""Start the gateway."""

import sys

from ekiden import tracing
from ekiden.errors import WorkflowInvalid
from ekiden.log import configure_logging
from ekiden.settings import read_settings
from ekiden_gateway.app import Server, create_app
from ekiden_gateway.settings import GatewaySettings


def main() -> None:
    settings = read_settings(GatewaySettings)
    configure_logging(settings.service, settings.log_level, settings.log_format, settings.secrets)
    tracing.start(settings.service)
    try:
        app = create_app(settings)
    except WorkflowInvalid as error:
        sys.stderr.write(f"gateway: the workflows have mistakes\n{error}\n")
        raise SystemExit(2) from error
    Server(app, settings).run()


if __name__ == "__main__":
    main()

"""Start the perplexity-worker."""

from ekiden import tracing
from ekiden.log import configure_logging
from ekiden.process import run
from ekiden.settings import read_settings
from ekiden_perplexity_worker.app import build
from ekiden_perplexity_worker.settings import PerplexityWorkerSettings


def main() -> None:
    settings = read_settings(PerplexityWorkerSettings)
    configure_logging(settings.service, settings.log_level, settings.log_format, settings.secrets)
    tracing.start(settings.service)
    run(build(settings), name=settings.service, host=settings.metrics_host, port=settings.metrics_port)


if __name__ == "__main__":
    main()

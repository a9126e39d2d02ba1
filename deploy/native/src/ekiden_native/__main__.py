"""`python -m ekiden_native`: the native stack from the command line."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from ekiden_native.backup import back_up, restore
from ekiden_native.control import ask
from ekiden_native.errors import NotRunning, StackError
from ekiden_native.logs import follow, print_logs
from ekiden_native.program import DEFAULT_COUNTS, PROGRAMS
from ekiden_native.provision import (
    provide,
    provide_chromium,
    provide_picture_tools,
    provide_postgresql,
    provide_prometheus,
)
from ekiden_native.stack import SETTINGS, Stack
from ekiden_native.state_dir import StateDir


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 with a sentence on standard error, 2 misunderstood."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ekiden_native", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    setup = commands.add_parser("setup", help="install RabbitMQ, mongod and Prometheus where they are missing")
    setup.add_argument("--browser", action="store_true", help="and Chromium, for the tests of the web page")
    setup.add_argument("--pictures", action="store_true", help="and all that pictures of the web page are made with")
    setup.add_argument("--postgresql", action="store_true", help="and PostgreSQL, for a peer in the benchmark")
    setup.set_defaults(run=_setup)

    up = commands.add_parser("up", help="start the stack and return when all of it is healthy")
    up.add_argument("--service", metavar="name=count", type=_count, action="append", default=[])
    up.add_argument("--no-services", action="store_true", help="broker and database only")
    up.add_argument("--simulate", action="store_true", help="ignore the providers' keys")
    up.add_argument("--timeout", type=float, default=60.0, help="seconds")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="stop the stack and keep its data")
    down.add_argument("--wipe", action="store_true", help="remove the data, too")
    down.set_defaults(run=_down)

    ps = commands.add_parser("ps", help="list the processes")
    ps.set_defaults(run=_ps)

    logs = commands.add_parser("logs", help="print the logs")
    logs.add_argument("service", nargs="*", help="for example gpt-worker, or gpt-worker-2")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.set_defaults(run=_logs)

    scale = commands.add_parser("scale", help="change how many processes of a service run")
    scale.add_argument("service", metavar="name=count", type=_count, nargs="+")
    scale.set_defaults(run=_scale)

    backup = commands.add_parser("backup", help="copy the running database to a new folder")
    backup.add_argument("folder", type=Path)
    backup.set_defaults(run=_back_up)

    restored = commands.add_parser("restore", help="put a backup in the place of the database, while the stack is down")
    restored.add_argument("folder", type=Path)
    restored.set_defaults(run=_restore)
    return parser


def _count(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if name not in PROGRAMS:
        raise argparse.ArgumentTypeError(f"{text}: there are {', '.join(PROGRAMS)}")
    if not count.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: write {name}=2")
    return name, int(count)


def _stack(services: Mapping[str, int], *, simulate: bool) -> Stack:
    settings = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    return Stack(_state_dir().root, services=services, env=settings, simulate=simulate, prometheus=bool(services))


def _state_dir() -> StateDir:
    return StateDir(Path(os.environ.get("EKIDEN_STATE_DIR") or ".local").resolve())


def _setup(options: argparse.Namespace) -> None:
    provide()
    provide_prometheus()
    if options.browser or options.pictures:
        provide_chromium()
    if options.pictures:
        provide_picture_tools()
    if options.postgresql:
        provide_postgresql()


def _up(options: argparse.Namespace) -> None:
    asked = dict[str, int](options.service)
    stack = _stack({} if options.no_services else {**DEFAULT_COUNTS, **asked}, simulate=options.simulate)
    print(stack.providers.announcement, flush=True)
    stack.up(options.timeout)
    if asked and not options.no_services:
        stack.scale(asked)
    _print_addresses(stack)


def _print_addresses(stack: Stack) -> None:
    running = {row["service"] for row in stack.ps()}
    env = stack.env
    if "gateway" in running:
        print(f"Gateway    {env['EKIDEN_GATEWAY_URL']}")
        print(f"API        {env['EKIDEN_GATEWAY_URL']}/docs")
    if "simulator" in running:
        print(f"Simulator  {env['EKIDEN_SIMULATOR_URL']}")
    if "prometheus" in running:
        print(f"Prometheus {env['EKIDEN_PROMETHEUS_URL']}")
    print(f"RabbitMQ   {env['EKIDEN_AMQP_URL']}")
    print(f"MongoDB    {env['EKIDEN_MONGODB_URL']}")
    print(f"Logs       {stack.state.log}")
    print(f"Addresses  {stack.state.env_file}")


def _down(options: argparse.Namespace) -> None:
    Stack(_state_dir().root).down(wipe=options.wipe)


def _back_up(options: argparse.Namespace) -> None:
    stack = Stack(_state_dir().root)
    if "EKIDEN_MONGODB_URL" not in stack.env:
        raise NotRunning("No stack was ever up here: there is no database to copy.")
    print(back_up(stack.state, stack.env["EKIDEN_MONGODB_URL"], options.folder))


def _restore(options: argparse.Namespace) -> None:
    restore(_state_dir(), options.folder)
    print("Restored. Now, before any service starts:")
    print("  python -m ekiden_native up --no-services")
    print("  ekiden doctor --after-restore")
    print("Then make up.")


def _scale(options: argparse.Namespace) -> None:
    Stack(_state_dir().root).scale(dict(options.service))


def _ps(_options: argparse.Namespace) -> None:
    try:
        rows: list[dict[str, Any]] = ask(_state_dir(), "ps")["processes"]
    except NotRunning as error:
        print(error)
        return
    layout = "{:<20} {:>3} {:>8}  {:<11} {:>9} {:>9} {:>6}"
    print(layout.format("SERVICE", "N", "PID", "STATE", "UPTIME", "RESTARTS", "PORT"))
    for row in rows:
        uptime = str(timedelta(seconds=int(row["uptimeSeconds"])))
        pid = row["pid"] or "-"
        print(layout.format(row["service"], row["n"], pid, row["state"], uptime, row["restarts"], row["port"]))


def _logs(options: argparse.Namespace) -> None:
    positions = print_logs(_state_dir(), options.service)
    if options.follow:
        follow(_state_dir(), options.service, positions)


if __name__ == "__main__":
    sys.exit(main())

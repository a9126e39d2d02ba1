"""Everything the doctor asks, in one report."""

import asyncio
import os
from pathlib import Path

from ekiden_cli.addresses import Addresses
from ekiden_cli.doctor.finding import Finding
from ekiden_cli.doctor.gateway import check_address, examine_gateway
from ekiden_cli.doctor.machine import (
    check_disk,
    check_keys,
    check_libraries,
    check_ports,
    check_python,
    check_settings,
)
from ekiden_cli.doctor.stack import check_broker, check_database


async def examine(addresses: Addresses) -> list[Finding]:
    """Ask everything, in the order in which failures follow from one another."""

    async def database() -> list[Finding]:
        return [finding async for finding in check_database(addresses)]

    broker, stored, front = await asyncio.gather(check_broker(addresses), database(), examine_gateway(addresses))
    stack_is_up = not any(finding.is_failure for finding in (broker, *stored, *front))
    return [
        check_python(),
        check_libraries(),
        check_settings(os.environ),
        *check_keys(os.environ),
        check_address(addresses),
        check_ports(os.environ, stack_is_up=stack_is_up),
        check_disk(addresses.state_dir or Path.cwd()),
        broker,
        *stored,
        *front,
    ]

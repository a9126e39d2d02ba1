"""Make one MongoDB replica set of the members named on the command line, once; then wait for SIGTERM.

`/tmp/ready` says that there is a primary. Run in a container of docker-compose.cluster.yml.
"""

import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

NAME = "rs0"
ALREADY_INITIALIZED = 23  # mongo `error_codes.yml`


def main(members: list[str]) -> None:
    while not _has_primary(members):
        with suppress(PyMongoError):
            _initiate(members)
        time.sleep(0.5)
    Path("/tmp/ready").touch()  # noqa: S108 (the container's own, and the one place it can write to)
    signal.sigwait({signal.SIGTERM})


def _has_primary(members: list[str]) -> bool:
    with MongoClient(members, replicaSet=NAME, serverSelectionTimeoutMS=2000) as client:
        try:
            return bool(client.admin.command("hello")["isWritablePrimary"])
        except PyMongoError:
            return False


def _initiate(members: list[str]) -> None:
    config = {"_id": NAME, "members": [{"_id": n, "host": host} for n, host in enumerate(members)]}
    with MongoClient(members[0], directConnection=True, serverSelectionTimeoutMS=2000) as client:
        try:
            client.admin.command("replSetInitiate", config)
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise


main(sys.argv[1:])

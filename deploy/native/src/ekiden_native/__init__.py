"""The native stack: RabbitMQ, mongod and the services as supervised processes on loopback."""

from ekiden_native.errors import StackError
from ekiden_native.program import Program
from ekiden_native.stack import Stack

__all__ = ["Program", "Stack", "StackError"]

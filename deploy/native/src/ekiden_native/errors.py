"""What can go wrong with the stack, split by what the person at the keyboard does next.

StackError
├── NotProvided      install something, or run `setup` with the right to
├── PortTaken        free a port, or ask for another
├── MixedProviders   set the other key, or allow the mixture
├── AlreadyUp        take the running stack down first
├── NotReady         read the log it names
├── NotRestorable    take the stack down, or name another folder
└── NotRunning       start the stack, the service or the process first
"""


class StackError(Exception):
    """The stack cannot do what was asked; the message is a sentence for a person."""


class NotProvided(StackError):
    """A program of the stack is missing and cannot be installed from here."""


class PortTaken(StackError):
    """A port that was asked for by name belongs to somebody else."""


class MixedProviders(StackError):
    """One provider has a key and the other has none."""


class AlreadyUp(StackError):
    """A stack with other providers is running on this state directory."""


class NotReady(StackError):
    """A process did not become healthy in time, or crashes again and again."""


class NotRestorable(StackError):
    """There is nothing to restore, or the database that would be replaced is running."""


class NotRunning(StackError):
    """There is no such process, or no stack, at this moment."""

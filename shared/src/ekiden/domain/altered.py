"""A value with other fields: what every move of a session does a dozen times."""

from typing import TypeVar

Value = TypeVar("Value")


def altered(value: Value, /, **fields: object) -> Value:
    """`dataclasses.replace` in a tenth of its time, for dataclasses without slots that only hold their fields.

    Raises TypeError for a field that there is not.
    """
    known = vars(value)
    held = known | fields
    if len(held) > len(known):
        raise TypeError(f"{type(value).__name__} has no {', '.join(fields.keys() - known.keys())}")
    made = object.__new__(type(value))
    object.__setattr__(made, "__dict__", held)
    return made

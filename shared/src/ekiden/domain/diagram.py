"""The state diagram of a session, drawn from the decision's own table.

`python -m ekiden.domain.diagram > docs/state-diagram.md` makes the page; a test fails when it is stale.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import get_args

from ekiden.domain.decider import RULES, Situation
from ekiden.domain.messages import Message
from ekiden.domain.session import ENDED

_HEAD = """\
# The states of a session

Made by `python -m ekiden.domain.diagram > docs/state-diagram.md` from the table of `ekiden.domain.decider`: do not
edit. `ACTIVE` stands for `THINKING`, `EXECUTING` and `INTEGRATING`. An arrow means that the message *may* lead there.
"""
_LEGEND = """\
## Every message in every situation

`→` may move the session to another situation (or leave it where it is), `=` changes at most its money and budget,
`–` is illegal and answered with 409.
"""


def page() -> str:
    """The whole page, in Markdown with a Mermaid diagram."""
    return "\n".join([_HEAD, "```mermaid", *_diagram(), "```", "", _LEGEND, *_table(), ""])


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    for here in Situation:
        if here.value != _name(here):
            yield f"    {_name(here)}: {here}"
    yield f"    [*] --> {_name(Situation.PENDING)}"
    arrows: dict[tuple[Situation, Situation], list[str]] = defaultdict(list)
    for (here, message), rule in RULES.items():
        for there in rule.to - {here}:
            arrows[here, there].append(message.__name__)
    for here in Situation:
        for there in Situation:
            if (here, there) in arrows:
                yield f"    {_name(here)} --> {_name(there)}: {', '.join(sorted(arrows[here, there]))}"
    for here in Situation:
        if here.value in ENDED:
            yield f"    {_name(here)} --> [*]"


def _table() -> Iterator[str]:
    messages: tuple[type[Message], ...] = get_args(Message)
    yield f"| | {' | '.join(message.__name__ for message in messages)} |"
    yield f"|---|{'---|' * len(messages)}"
    for here in Situation:
        yield f"| `{here}` | {' | '.join(_sign(here, message) for message in messages)} |"


def _sign(here: Situation, message: type[Message]) -> str:
    rule = RULES.get((here, message))
    if rule is None:
        return "–"
    return "→" if rule.to - {here} else "="


def _name(here: Situation) -> str:
    return re.sub(r"\W", "_", here.value)


if __name__ == "__main__":
    sys.stdout.write(page())

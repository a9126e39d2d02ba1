"""What all answers share: camelCase on the wire, frozen here, tolerant of a gateway that is newer or older.

A field that this client does not know is kept and ignored; one that an older gateway does not send has its default.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    @property
    def raw(self) -> dict[str, Any]:
        """The document as it was received, unknown fields included, fit for `json.dumps`."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


Inputs = Mapping[str, str | int | bool | tuple[str, ...]]
"""What a session is about: the inputs of its workflow, in their types."""
D = TypeVar("D", bound=Document)


class Tagged(Document):
    """What can be edited. Its `etag`, given with a change, keeps that from overwriting somebody else's.

    A list gives no etags: it is empty there.
    """

    etag: str = ""


class Page(Document, Generic[D]):
    """One page of a list; `next_cursor` asks for the one behind it, and is None on the last."""

    items: Sequence[D] = ()
    next_cursor: str | None = None

"""What all answers share: camelCase on the wire, frozen here, tolerant of a gateway that is newer or older.

A field that this client does not know is kept and ignored; one that an older gateway does not send has its default.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    @property
    def raw(self) -> dict[str, Any]:
        """The document as it was received, unknown fields included, fit for `json.dumps`."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _as_texts(given: object) -> object:
    if not isinstance(given, dict):
        return given
    return {name: _as_text(value) for name, value in cast("dict[str, object]", given).items()}


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[object]", value)))
    return str(value).lower() if isinstance(value, bool) else str(value)


Inputs = Annotated[Mapping[str, str], BeforeValidator(_as_texts)]
"""What a session is about, each input as a person reads it."""
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

"""The items behind a gate, to be edited: a planned search is its question, with what else was planned of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from ekiden_gateway.page.forms import Form


@dataclass(frozen=True, slots=True)
class EditableItem:
    """One item behind a gate: what of it may be edited, and what else it says."""

    text: str
    more: Mapping[str, object] = field(default_factory=dict[str, object])


def editable_item(item: object) -> EditableItem:
    """A planned search is its `question`; what else was planned of it stays as it is."""
    if not isinstance(item, Mapping):
        return EditableItem(str(item))
    fields = cast("Mapping[str, object]", item)
    return EditableItem(
        str(fields.get("question", "")), {name: value for name, value in fields.items() if name != "question"}
    )


def edited_items(planned: Sequence[object], form: Form) -> list[object] | None:
    """The items as they were edited, without those that were emptied; None when all are as they were planned."""
    texts = [text.replace("\r\n", "\n").strip() for text in form.fields["item"]]
    if [text for text in texts if text] == [editable_item(item).text.strip() for item in planned]:
        return None
    blank: list[object] = [None] * len(texts)
    return [_edited(item, text) for item, text in zip([*planned, *blank], texts, strict=False) if text]


def _edited(planned: object, text: str) -> object:
    """With what else was planned of it, as far as that is text: the rest is filled in by its place."""
    if not isinstance(planned, Mapping):
        return text
    fields = cast("Mapping[str, object]", planned)
    return {name: value for name, value in fields.items() if isinstance(value, str) and value} | {"question": text}

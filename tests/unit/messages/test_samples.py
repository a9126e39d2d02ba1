"""One sample of every message ever sent is kept here, and each of them still decodes."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ekiden.messages import envelope
from ekiden.messages.envelope import Envelope, TaskMessage

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))


def kinds(parent: type[Envelope]) -> list[type[Envelope]]:
    return [leaf for child in parent.__subclasses__() for leaf in kinds(child)] or [parent]


def kind_of(sample: Path) -> type[Envelope]:
    return getattr(envelope, sample.name.partition(".")[0])


def read(sample: Path) -> dict[str, Any]:
    return json.loads(sample.read_text("utf-8"))


def test_every_kind_of_message_has_a_sample() -> None:
    sent = {kind for kind in kinds(Envelope) if kind.__module__ == envelope.__name__}
    assert sent == {kind_of(sample) for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_message_ever_sent_still_decodes(sample: Path) -> None:
    assert kind_of(sample).model_validate_json(sample.read_bytes())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_what_is_sent_today_is_the_newest_sample(sample: Path) -> None:
    decoded = kind_of(sample).model_validate_json(sample.read_bytes())
    assert json.loads(decoded.encode()) == read(sample) | {"sentAt": json.loads(decoded.encode())["sentAt"]}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_unknown_fields_are_ignored(sample: Path) -> None:
    newer = read(sample) | {"addedLater": {"anything": 1}}
    assert kind_of(sample).model_validate(newer) == kind_of(sample).model_validate(read(sample))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_message_of_a_version_that_we_do_not_know_is_refused(sample: Path) -> None:
    with pytest.raises(ValidationError):
        kind_of(sample).model_validate(read(sample) | {"schemaVersion": 2})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_message_is_not_taken_for_one_of_another_kind(sample: Path) -> None:
    with pytest.raises(ValidationError):
        kind_of(sample).model_validate(read(sample) | {"type": "SomethingElse"})


@pytest.mark.parametrize("session", ["", "ses_1", "ses_" + "g" * 32, "ses_" + "0" * 33])
def test_a_session_id_of_the_wrong_form_is_refused(session: str) -> None:
    task = read(next(sample for sample in SAMPLES if issubclass(kind_of(sample), TaskMessage)))
    with pytest.raises(ValidationError):
        envelope.TaskCompleted.model_validate(task | {"type": "TaskCompleted", "sessionId": session})

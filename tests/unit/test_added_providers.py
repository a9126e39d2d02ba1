"""Providers that a setting adds: what may be said, what it means, and that a typing mistake stops the start."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
from pydantic import ValidationError

from ekiden.broker import topology
from ekiden.domain.provider import BUILT_IN, Kind, Provider
from ekiden.messages.envelope import TASK_MESSAGES, GenerateText, SearchWeb
from ekiden.metrics import TABLE
from ekiden.retry import UnknownOutcome, usual_policies
from ekiden.settings import ProviderEntry, ServiceSettings, add_providers, read_entries, unknown_names
from ekiden.workflow.check import check
from ekiden.workflow.package import Package
from tests.fakes.providers import one_more
from tests.fakes.workflow import small_package


@pytest.fixture
def archive() -> Iterator[Provider]:
    with one_more("archive", Kind.SEARCH) as added:
        yield added


def settings(providers: str) -> ServiceSettings:
    needed: Mapping[str, Any] = {"amqp_url": "amqp://x", "mongodb_url": "mongodb://x", "providers": providers}
    return cast("Callable[..., ServiceSettings]", ServiceSettings)(**needed)


def searching(provider: str) -> Package:
    package = small_package()
    phases = cast("list[dict[str, Any]]", package.document["phases"])
    phases[0]["execute"]["provider"] = provider
    return package


def exported(service: str) -> list[str]:
    return [line for line in TABLE.exposition(service).decode().splitlines() if line.startswith("# TYPE")]


def test_there_is_one_value_for_each_provider() -> None:
    assert Provider("gpt") is Provider.GPT


def test_a_provider_s_kind_says_its_usual_policy(archive: Provider) -> None:
    assert usual_policies()[archive] is UnknownOutcome.ASK


def test_entries_are_read_with_their_policies() -> None:
    assert read_entries("notes:text, archive:search:resend") == (
        ProviderEntry("notes", Kind.TEXT, UnknownOutcome.RESEND),
        ProviderEntry("archive", Kind.SEARCH, UnknownOutcome.RESEND),
    )


@pytest.mark.parametrize("text", ["archive", "archive:", "archive:books", "archive:search:hope", "Archive:search"])
def test_an_entry_of_another_form_stops_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="providers"):
        settings(text)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_ekiden_s_own_cannot_be_added_again(name: str) -> None:
    with pytest.raises(ValidationError, match="no name for another provider"):
        settings(f"{name}:text")


def test_a_provider_added_twice_is_one(archive: Provider) -> None:
    add_providers("archive:search")
    assert list(Provider).count(archive) == 1


def test_a_provider_cannot_change_its_kind(archive: Provider) -> None:
    with pytest.raises(ValueError, match="is one of search"):
        Provider.add("archive", Kind.TEXT)


def test_its_policy_is_what_the_setting_says(archive: Provider) -> None:
    assert settings("archive:search:resend").policies[archive] is UnknownOutcome.RESEND


def test_its_worker_s_variables_are_its_own_matter() -> None:
    environment = {"EKIDEN_ARCHIVE_KEY": "k", "EKIDEN_ARCHIVES": "1", "EKIDEN_PROVIDERS": "archive:search"}
    assert [line.partition(":")[0] for line in unknown_names(environment)] == ["EKIDEN_ARCHIVES"]


def test_it_has_a_queue_like_the_others(archive: Provider) -> None:
    ours, theirs = topology.queue(topology.task_queue(archive)), topology.queue(topology.task_queue(Provider.GPT))
    assert (ours.routing_key, ours.declared_arguments) == ("archive", theirs.declared_arguments)


def test_its_kind_says_which_message_tells_of_its_tasks() -> None:
    assert {Kind.TEXT: GenerateText, Kind.SEARCH: SearchWeb} == TASK_MESSAGES


def test_a_workflow_may_name_it(archive: Provider) -> None:
    check(searching(archive))


def test_its_worker_exports_what_workers_do() -> None:
    assert exported("archive-worker") == exported("gpt-worker") != exported("gateway")

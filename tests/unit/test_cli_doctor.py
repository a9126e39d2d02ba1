"""The doctor: each finding is one sentence, and whatever is not right says what to change."""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from ekiden_cli.addresses import find_addresses
from ekiden_cli.doctor import machine
from ekiden_cli.doctor.finding import Finding, Verdict
from ekiden_cli.doctor.gateway import check_address, check_clock, check_key, check_version, examine_gateway
from ekiden_cli.doctor.machine import check_disk, check_keys, check_ports
from ekiden_client.service import Readiness
from tests.fakes.wire import Wire

OPENAI, PERPLEXITY = "sk-" + "x" * 48, "pplx-" + "x" * 48


def worst(findings: list[Finding]) -> Finding:
    return max(findings, key=lambda finding: list(Verdict).index(finding.verdict))


@pytest.mark.parametrize(
    ("keys", "verdict", "told"),
    [
        ({}, Verdict.OK, "the simulator answers"),
        ({"OPENAI_API_KEY": OPENAI, "PERPLEXITY_API_KEY": PERPLEXITY}, Verdict.OK, "which cost money"),
        ({"OPENAI_API_KEY": OPENAI}, Verdict.FAILED, "only OPENAI_API_KEY is set"),
        ({"OPENAI_API_KEY": PERPLEXITY, "PERPLEXITY_API_KEY": PERPLEXITY}, Verdict.FAILED, "holds a key of Perplexity"),
        (
            {"OPENAI_API_KEY": "sk-…", "PERPLEXITY_API_KEY": PERPLEXITY},
            Verdict.WARNING,
            "was cut off, or is an example",
        ),
        ({"OPENAI_API_KEY": "key-" + OPENAI, "PERPLEXITY_API_KEY": PERPLEXITY}, Verdict.WARNING, "not begin with sk-"),
        ({"OPENAI_API_KEY": f'"{OPENAI}"', "PERPLEXITY_API_KEY": PERPLEXITY}, Verdict.FAILED, "quotes"),
    ],
    ids=["none", "both", "one", "swapped", "example", "another", "quoted"],
)
def test_keys_of_providers_are_judged_by_their_form_alone(keys: Mapping[str, str], verdict: Verdict, told: str) -> None:
    finding = worst(list(check_keys(keys)))

    assert finding.verdict is verdict
    assert told in finding.found
    assert bool(finding.change) is (verdict is not Verdict.OK)
    assert not any(key in finding.found + finding.change for key in keys.values()), "no key is ever shown"


def test_a_port_that_was_asked_for_and_is_taken_is_told_unless_our_stack_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        asked = {"EKIDEN_GATEWAY_PORT": str(taken.getsockname()[1])}

        assert check_ports(asked, stack_is_up=False).verdict is Verdict.FAILED
        assert check_ports(asked, stack_is_up=True).verdict is Verdict.OK


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80 "])
def test_what_is_no_port_is_told(port: str) -> None:
    assert "is no port" in check_ports({"EKIDEN_AMQP_PORT": port}, stack_is_up=True).found


@pytest.mark.parametrize(
    ("least", "few", "verdict"),
    [(0, 0, Verdict.OK), (0, 1 << 62, Verdict.WARNING), (1 << 62, 1 << 62, Verdict.FAILED)],
)
def test_a_disk_that_fills_up_is_told_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int, few: int, verdict: Verdict
) -> None:
    monkeypatch.setattr(machine, "_LEAST_BYTES", least)
    monkeypatch.setattr(machine, "_FEW_BYTES", few)

    assert check_disk(tmp_path).verdict is verdict


@pytest.mark.parametrize(
    ("settings", "verdict", "source"),
    [
        ({}, Verdict.OK, "the usual one"),
        ({"EKIDEN_GATEWAY_URL": "http://127.0.0.1:1", "EKIDEN_API_KEY": "k"}, Verdict.OK, "from EKIDEN_GATEWAY_URL"),
        ({"EKIDEN_GATEWAY_URL": "https://far.example", "EKIDEN_API_KEY": "k"}, Verdict.OK, "from EKIDEN_GATEWAY_URL"),
        ({"EKIDEN_GATEWAY_URL": "http://far.example", "EKIDEN_API_KEY": "k"}, Verdict.WARNING, "unencrypted"),
    ],
)
def test_the_address_is_told_with_where_it_is_from(
    tmp_path: Path, settings: Mapping[str, str], verdict: Verdict, source: str
) -> None:
    finding = check_address(find_addresses(settings, tmp_path))

    assert finding.verdict is verdict
    assert source in finding.found


async def test_an_address_that_is_none_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    (finding,) = await examine_gateway(find_addresses({"EKIDEN_GATEWAY_URL": "localhost:8000"}, tmp_path))

    assert finding.verdict is Verdict.FAILED
    assert "EKIDEN_GATEWAY_URL" in finding.change


@pytest.mark.parametrize(("theirs", "verdict"), [("0.0.1", Verdict.WARNING), ("99.0", Verdict.WARNING)])
async def test_a_gateway_of_another_version_is_told(theirs: str, verdict: Verdict) -> None:
    answer = httpx.Response(200, json={"info": {"title": "Ekiden", "version": theirs}})
    async with Wire(answer).client() as client:
        finding = await check_version(client)

    assert finding.verdict is verdict
    assert theirs in finding.found


@pytest.mark.parametrize(
    ("own", "verdict", "told"),
    [
        ({"client": "ann", "scopes": ["read", "write"]}, Verdict.OK, "client ann, may read, write"),
        ({"client": "ann", "scopes": ["read"]}, Verdict.WARNING, "client ann, may read"),
        ({"client": "local", "scopes": ["read"], "open": True}, Verdict.OK, "lets everybody in"),
    ],
    ids=["may write", "may only look", "open"],
)
async def test_a_key_is_told_with_its_client_and_what_it_may_do(
    own: dict[str, object], verdict: Verdict, told: str, tmp_path: Path
) -> None:
    async with Wire(httpx.Response(200, json=own)).client() as client:
        finding = await check_key(client, find_addresses({"EKIDEN_API_KEY": "x" * 20}, tmp_path))

    assert finding.verdict is verdict
    assert told in finding.found


@pytest.mark.parametrize(("apart", "verdict"), [(0, Verdict.OK), (3600, Verdict.WARNING), (-3600, Verdict.WARNING)])
def test_a_gateway_whose_clock_goes_wrong_is_told(apart: int, verdict: Verdict) -> None:
    finding = check_clock(Readiness([], datetime.now(UTC) + timedelta(seconds=apart)))

    assert finding.verdict is verdict
    assert ("NTP" in finding.change) is (verdict is Verdict.WARNING)

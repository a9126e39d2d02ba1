"""Searches: believable results at addresses nobody owns."""

import re
from urllib.parse import urlsplit

import pytest

from ekiden_simulator.answers import search

JAPANESE = "テーマ: 地方の空き家再生\n今日: 2026-11-22\n質問: 最近どのような動きがありましたか。\n観点: current_events"
ENGLISH = "Theme: remote work burnout\nToday: 2026-11-22\nQuestion: What do people say?\nLens: social_listening"
RESERVED = re.compile(r"^[a-z]+\.example\.(com|org|net|jp)$")


@pytest.mark.parametrize("prompt", [JAPANESE, ENGLISH, "What is new in beekeeping?", "養蜂の最近の動きは？"])
def test_every_address_is_reserved_for_examples(prompt):
    found = search(prompt, 1)
    assert len({result.url for result in found.results}) == 4
    assert all(RESERVED.match(urlsplit(result.url).hostname or "") for result in found.results)


@pytest.mark.parametrize("prompt", [JAPANESE, ENGLISH])
def test_results_are_dated_in_the_weeks_before_today_newest_first(prompt):
    dates = [result.date or "" for result in search(prompt, 1).results]
    assert dates == sorted(dates, reverse=True)
    assert all("2026-10-01" < day < "2026-11-22" for day in dates)


def test_without_a_day_in_the_prompt_results_have_no_date():
    assert {result.date for result in search("What is new in beekeeping?", 1).results} == {None}


def test_the_report_cites_its_results_by_number_and_address():
    found = search(JAPANESE, 1)
    for number, result in enumerate(found.results, 1):
        assert f"[{number}]" in found.text
        assert result.url in found.text


def test_results_are_about_the_theme_in_the_prompts_language():
    assert all("地方の空き家再生" in result.title for result in search(JAPANESE, 1).results)
    assert all("remote work burnout" in result.title for result in search(ENGLISH, 1).results)
    assert "最近どのような動きがありましたか。" in search(JAPANESE, 1).queries


def test_different_questions_find_different_pages():
    other = JAPANESE.replace("動き", "声")
    assert not {r.url for r in search(JAPANESE, 1).results} & {r.url for r in search(other, 1).results}


def test_the_same_question_finds_the_same_pages():
    assert search(ENGLISH, 7) == search(ENGLISH, 7)

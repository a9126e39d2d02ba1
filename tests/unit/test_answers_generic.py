"""Answers for workflows the simulator has never seen: any schema, any prompt."""

import json
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ekiden_simulator.answers import complete, search

JAPANESE = [
    {"role": "system", "content": "あなたは料理の編集者です。"},
    {"role": "user", "content": "テーマ: 一人暮らしの作り置き\n今日: 2026-11-22\n見出しを考えてください。"},
]
ENGLISH = [{"role": "user", "content": "Summarise what is new about urban beekeeping in three points."}]
SOURCES = '\n<source id="S4" url="https://example.com/a" date="2026-11-01">A title</source>'
TEXT = {"type": "string"}


def made(properties, messages=ENGLISH, seed=1, defs=None):
    schema: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": defs or {},
    }
    answer = json.loads(complete("some_name", schema, messages, seed))
    Draft202012Validator(schema).validate(answer)
    return answer


def test_every_type_of_json_schema_is_answered():
    answer = made(
        {
            "name": TEXT,
            "stars": {"type": "integer", "minimum": 1, "maximum": 5},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "ready": {"type": "boolean"},
            "colour": {"type": "string", "enum": ["red", "green"]},
            "kind": {"const": "report"},
            "nothing": {"type": "null"},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
            "when": {"type": "string", "format": "date-time"},
            "code": {"type": "string", "maxLength": 10},
            "essay": {"type": "string", "minLength": 600},
            "rows": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}, "minItems": 4},
        }
    )
    assert len(answer["rows"]) == 4


def test_what_has_a_saying_is_said_in_the_form_the_schema_wants():
    answer = made(
        {"kpis": {"type": "array", "items": TEXT}, "hashtags": TEXT, "score": TEXT, "hook": {"type": "integer"}}
    )
    assert all(isinstance(kpi, str) for kpi in answer["kpis"])
    assert answer["hashtags"].count("#") >= 2
    assert isinstance(answer["hook"], int)


def test_a_list_of_objects_has_three_different_items():
    rows = {"type": "object", "properties": {"headline": TEXT, "body": TEXT, "rank": {"type": "integer"}}}
    items = made({"chapters": {"type": "array", "items": rows}})["chapters"]
    assert len(items) == 3
    assert len({item["headline"] for item in items}) == 3
    assert len({item["body"] for item in items}) == 3


def test_a_schema_that_refers_to_itself_comes_to_an_end():
    node = {
        "type": "object",
        "properties": {"label": TEXT, "children": {"type": "array", "items": {"$ref": "#/$defs/n"}}},
    }
    tree = made({"tree": {"$ref": "#/$defs/n"}}, defs={"n": node})["tree"]
    assert 1 < _depth(tree) < 10


def test_a_plan_of_questions_has_exactly_three():
    item = {"type": "object", "properties": {"question": TEXT}, "required": ["question"]}
    assert len(made({"questions": {"type": "array", "items": item}}, JAPANESE)["questions"]) == 3
    plain = made({"questions": {"type": "array", "items": TEXT}}, JAPANESE)["questions"]
    assert len(set(plain)) == 3
    assert all("一人暮らしの作り置き" in question for question in plain)


@pytest.mark.parametrize(
    ("said", "count"), [("Exactly two questions.", 2), ("ちょうど1件", 1), ("Exactly 4", 4), ("A few", 3)]
)
def test_a_list_has_as_many_items_as_its_description_asks_for(said, count):
    rows = {"type": "object", "properties": {"headline": TEXT}}
    assert len(made({"chapters": {"type": "array", "items": rows, "description": said}})["chapters"]) == count
    assert len(made({"questions": {"type": "array", "items": TEXT, "description": said}})["questions"]) == min(count, 3)


def test_what_is_known_of_a_source_is_told_with_its_title_and_date_where_no_platform_is_named():
    found = search("<input>\nMarket: cargo bicycles\nToday: 2026-11-22\n</input>\nQuestion: Who buys?\nLens: demand", 1)
    source = found.results[0]
    shown = f'<source id="S1" url="{source.url}" date="{source.date}">{source.title}</source>'
    rows = {"type": "object", "properties": {"statement": TEXT, "content": TEXT}}
    wanted = {"reports": {"type": "array", "items": rows, "description": "Exactly one report."}}
    report = made(wanted, [{"role": "user", "content": f"<input>\nMarket: cargo bicycles\n</input>\n{shown}"}])[
        "reports"
    ][0]

    assert report["statement"].removesuffix(".") in found.text
    assert report["statement"].removesuffix(".") in report["content"]
    assert source.title in report["content"]
    assert source.url in report["content"]


def test_only_sources_in_the_prompt_are_cited():
    shown = [{"role": "user", "content": ENGLISH[0]["content"] + SOURCES}]
    wanted = {"sourceUrl": {"type": ["string", "null"]}, "links": {"type": "array", "items": TEXT}, "newsSource": TEXT}
    answer = made(wanted, shown)
    assert answer["sourceUrl"] == "https://example.com/a"
    assert answer["newsSource"] == "A title"
    assert set(answer["links"]) == {"https://example.com/a"}


@pytest.mark.parametrize(
    ("prompt", "theme"),
    [
        (ENGLISH[0]["content"], "urban beekeeping"),
        ("養蜂の今について、三つの要点を書いてください。", "養蜂の今"),
        ("Beekeeping", "Beekeeping"),
        ("Write three tips.\n\n<input>\nDish: lentil soup\nGuests: 4\n</input>", "lentil soup"),
        ("献立を考えてください。\n<input>\n料理: 豆のスープ\n</input>", "豆のスープ"),
    ],
)
def test_a_prompt_without_labels_is_about_what_its_first_line_says(prompt, theme):
    assert theme in made({"title": TEXT}, [{"role": "user", "content": prompt}])["title"]


def test_without_sources_nothing_is_cited():
    answer = made({"sourceUrl": {"type": ["string", "null"]}, "url": TEXT, "sources": {"type": "array", "items": TEXT}})
    assert answer == {"sourceUrl": None, "url": "", "sources": []}


def test_a_tag_that_is_only_spoken_of_hides_no_source():
    shown = [{"role": "user", "content": "Topic: bees\nOnly URLs from a <source>." + SOURCES}]
    assert made({"newsSource": TEXT, "sourceUrl": TEXT}, shown) == {
        "newsSource": "A title",
        "sourceUrl": "https://example.com/a",
    }


def test_addresses_outside_source_tags_are_taken_when_there_are_none():
    shown = [{"role": "user", "content": "Topic: bees\nSee https://example.org/bees, and write."}]
    assert made({"url": TEXT}, shown)["url"] == "https://example.org/bees"


@pytest.mark.parametrize(("messages", "sign"), [(JAPANESE, "一人暮らしの作り置き"), (ENGLISH, "urban beekeeping")])
def test_without_a_schema_the_answer_is_text_on_the_theme(messages, sign):
    assert sign in complete("", {}, messages, 1)


def test_the_answer_is_in_the_language_of_the_prompt():
    assert "、" in made({"summary": TEXT}, JAPANESE)["summary"]
    assert made({"summary": TEXT}, ENGLISH)["summary"].startswith("Interest in")


def test_the_same_seed_and_messages_give_the_same_answer():
    wanted = {"hook": TEXT, "content": TEXT, "score": {"type": "integer"}}
    assert made(wanted, JAPANESE) == made(wanted, JAPANESE)


def test_another_seed_may_choose_other_words():
    assert len({made({"hook": TEXT}, JAPANESE, seed)["hook"] for seed in range(8)}) > 1


@pytest.mark.parametrize(
    "content", ["", " \n ", "<b>", "\ud83d", "テーマ: ", "{t} {0} %s", "今日: 9999-12-31\nテーマ: x"]
)
def test_no_prompt_is_too_odd(content):
    made({"hook": TEXT, "content": TEXT, "timing": TEXT, "date": TEXT}, [{"role": "user", "content": content}])
    assert search(content, 1).results


def test_a_missing_content_is_no_prompt():
    assert complete("", {}, [], 1)


def test_a_large_prompt_is_answered_fast():
    usual, large = _seconds(50), _seconds(400)
    assert usual < 0.1  # 2 ms on a machine of 2026
    assert large < 40 * usual  # eight times as long: some 18 times; were it quadratic, 64 times


def _seconds(size: int) -> float:
    """The processor's time for a prompt of so many hundreds of words, at best: what others do does not count."""
    shown = [{"role": "user", "content": "Topic: bees\n" + SOURCES * size + "word " * 100 * size}]
    wanted: dict[str, object] = {
        "type": "object",
        "properties": {"hook": TEXT, "content": TEXT, "kpis": {"type": "array", "items": TEXT}},
    }
    taken: list[float] = []
    for _ in range(12):
        started = time.thread_time()
        complete("x", wanted, shown, 1)
        taken.append(time.thread_time() - started)
    return min(taken)


def _depth(node: Any) -> int:
    return 1 + max(map(_depth, node["children"]), default=0)

"""A tiny workflow in memory: two phases, one of them searching, in one language."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ekiden.domain.ids import Micros, SessionId
from ekiden.domain.plan import Provider
from ekiden.domain.session import Money, Session, Status, StepState
from ekiden.retry import UnknownOutcome
from ekiden.workflow.package import Package, Workflow

POLICIES = {Provider.GPT: UnknownOutcome.RESEND, Provider.PERPLEXITY: UnknownOutcome.ASK}
TEXT = {"type": "string"}


def strict(**fields: object) -> dict[str, object]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def listed(**fields: object) -> dict[str, object]:
    return {"type": "array", "items": strict(**fields)}


def prompt(text: str) -> str:
    return f"{{% block system %}}Be brief.{{% endblock %}}{{% block user %}}{text}{{% endblock %}}"


def gpt(name: str) -> dict[str, Any]:
    return {"provider": "gpt", "prompt": name, "schema": name, "max_output_tokens": 100, "cap_usd": 0.01}


def parts() -> dict[str, Any]:
    """The package's parts, to plant a mistake in."""
    search = {
        "provider": "perplexity",
        "prompt": "search",
        "for_each": "research.think.questions",
        "max_output_tokens": 100,
        "cap_usd": 0.05,
    }
    post = {"number": {"type": "integer"}, "content": TEXT, "sourceUrl": {"type": ["string", "null"]}}
    return copy.deepcopy(
        {
            "document": {
                "name": "tiny",
                "version": 1,
                "title": {"en": "Tiny"},
                "description": {"en": "A tiny workflow"},
                "inputs": {
                    "theme": {"required": True},
                    "platform": {"enum": ["twitter", "note"], "default": "twitter"},
                },
                "languages": ["en"],
                "budget_usd": 1,
                "phases": [
                    {
                        "name": "research",
                        "title": {"en": "Research"},
                        "think": gpt("plan"),
                        "execute": search,
                        "integrate": gpt("topics"),
                    },
                    {
                        "name": "writing",
                        "title": {"en": "Writing"},
                        "think": gpt("outline"),
                        "integrate": gpt("posts"),
                    },
                ],
                "drafts": {
                    "count": 2,
                    "key": "number",
                    "fields": {
                        "content": "writing.integrate.posts.content",
                        "sourceUrl": "writing.integrate.posts.sourceUrl",
                    },
                },
                "platforms": {
                    "twitter": {"max_length": 10, "full_width": 2, "hashtags": [0, 2], "notes": {"en": "Short."}},
                    "note": {"max_length": 100},
                },
            },
            "templates": {
                "en": {
                    "plan.md.j2": prompt("Plan for {{ input.theme | data }} on {{ today }}."),
                    "search.md.j2": prompt("{{ item.question if item is mapping else item }}"),
                    "topics.md.j2": prompt(
                        "{% for s in research.execute.searches %}{{ s.question }}: {{ s.text }}"
                        "{% for source in s.sources %}[{{ source.id }}]{% endfor %}{% endfor %}"
                        "{% if research.execute.missing %}missing {{ research.execute.missing | join(',') }}{% endif %}"
                    ),
                    "outline.md.j2": prompt("{{ research.integrate.topics[0].title }} {{ platform.max_length }}"),
                    "posts.md.j2": prompt("{{ 'short' if shorter else 'long' }} {{ writing.think.plan }}"),
                }
            },
            "schemas": {
                "plan": strict(questions=listed(question=TEXT)),
                "topics": strict(topics=listed(title=TEXT)),
                "outline": strict(plan=TEXT),
                "posts": strict(posts=listed(**post)),
            },
        }
    )


def package(plant: Callable[[dict[str, Any]], object] | None = None) -> Package:
    made = parts()
    if plant is not None:
        plant(made)
    return Package(**made)


def workflow() -> Workflow:
    return package().compile(POLICIES)


def session(**results: object) -> Session:
    """A finished session with these results, by step key."""
    return Session(
        id=SessionId("ses_" + "0" * 32),
        owner="owner",
        workflow="tiny@0",
        input={"theme": "tea", "platform": "twitter"},
        language="en",
        created_at=datetime(2026, 11, 22, 23, 59, tzinfo=UTC),
        money=Money(Micros(1_000_000)),
        status=Status.COMPLETED,
        steps={key: StepState(generation=1, result=result) for key, result in results.items()},
    )

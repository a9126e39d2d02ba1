"""A workflow of two phases, as small as one can be that has a fan-out."""

from ekiden.workflow.package import Package

QUESTIONS = [{"question": f"What about {n}?"} for n in range(3)]
ANSWERS: dict[str, object] = {
    "questions": {"questions": QUESTIONS},
    "note": {"note": "a note"},
    "rows": {"rows": [{"n": n, "title": f"Title {n}", "url": "https://example.com/run_0"} for n in (1, 2)]},
}


def _strict(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _list(name: str, item: dict[str, object]) -> dict[str, object]:
    return _strict({name: {"type": "array", "items": _strict(item)}})


_TEXT = {"type": "string"}
_TEMPLATE = "{% block system %}Be brief.{% endblock %}{% block user %}%s{% endblock %}"


def small_package(*, min_success: int | None = None, cap_usd: float = 0.01) -> Package:
    """`look` (plan, three searches, rows) and `tell` (note, rows); two drafts; reserves 0.06 USD for a GPT call."""
    gpt = {"provider": "gpt", "max_output_tokens": 100, "cap_usd": cap_usd}
    search = {"provider": "perplexity", "max_output_tokens": 100, "cap_usd": 0.05, "for_each": "look.think.questions"}
    if min_success is not None:
        search["min_success"] = min_success
    document: dict[str, object] = {
        "name": "small",
        "version": 1,
        "title": {"en": "Small"},
        "description": {"en": "Small"},
        "inputs": {"theme": {"required": True}},
        "languages": ["en"],
        "budget_usd": 1.0,
        "phases": [
            {
                "name": "look",
                "title": {"en": "Look"},
                "think": gpt | {"prompt": "plan", "schema": "questions"},
                "execute": search | {"prompt": "search"},
                "integrate": gpt | {"prompt": "join", "schema": "rows"},
            },
            {
                "name": "tell",
                "title": {"en": "Tell"},
                "think": gpt | {"prompt": "weigh", "schema": "note"},
                "integrate": gpt | {"prompt": "write", "schema": "rows"},
            },
        ],
        "drafts": {
            "count": 2,
            "key": "n",
            "fields": {"title": "tell.integrate.rows.title", "sourceUrl": "tell.integrate.rows.url"},
        },
    }
    prompts = {
        "plan": "Plan {{ input.theme | data }}",
        "search": "Search {{ item.question | data }}",
        "join": "Join {% for s in look.execute.searches %}{{ s.text | data }} {% endfor %}",
        "weigh": "Weigh {{ look.integrate.rows | length }}",
        "write": "Write {{ tell.think.note | data }}",
    }
    return Package(
        document,
        {"en": {f"{name}.md.j2": _TEMPLATE.replace("%s", text) for name, text in prompts.items()}},
        {
            "questions": _list("questions", {"question": _TEXT}),
            "note": _strict({"note": _TEXT}),
            "rows": _list("rows", {"n": {"type": "integer"}, "title": _TEXT, "url": _TEXT}),
        },
    )

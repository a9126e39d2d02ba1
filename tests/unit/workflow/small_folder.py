"""A small workflow as files, each key on a line of its own, to break at one place at a time."""

import json
from pathlib import Path

from tests.unit.workflow.tiny import TEXT, listed, prompt, strict

WORKFLOW = """\
name: small
version: 1
title:
  en: Small
  ja: 小さい
description:
  en: A small workflow
  ja: 小さなワークフロー
inputs:
  theme:
    required: true
  platform:
    enum: [twitter, note]
    default: twitter
  depth:
    type: integer
    minimum: 1
    maximum: 5
    default: 3
languages: [en, ja]
budget_usd: 1
gates:
  pause_after_phases: [1]
  pause_before: [1.EXECUTE]
phases:
  - name: research
    title: {en: Research, ja: 調査}
    think:
      provider: gpt
      prompt: plan
      schema: plan
      params: {reasoning_effort: low}
      max_output_tokens: 100
      cap_usd: 0.01
    execute:
      provider: perplexity
      prompt: search
      for_each: research.think.questions
      at_most: 3
      min_success: 2
      cache_seconds: 600
      max_output_tokens: 100
      cap_usd: 0.05
    integrate:
      provider: gpt
      prompt: topics
      schema: topics
      fallback:
        - provider: gpt
          model: other
      shorten: {characters: 100, sources: 1}
      max_output_tokens: 100
      cap_usd: 0.01
  - name: writing
    title: {en: Writing, ja: 執筆}
    think:
      provider: gpt
      prompt: outline
      schema: outline
      max_output_tokens: 100
      cap_usd: 0.01
    integrate:
      provider: gpt
      prompt: posts
      schema: posts
      max_output_tokens: 100
      cap_usd: 0.01
drafts:
  count: 2
  key: number
  fields:
    content: writing.integrate.posts.content
    sourceUrl: writing.integrate.posts.sourceUrl
platforms:
  twitter:
    max_length: 280
    hashtags: [0, 2]
    notes:
      en: Short.
      ja: 短く。
  note:
    max_length: 1000
"""
TOPICS = """\
{% block system %}Be brief.{% endblock %}
{% block user %}
{% include "_brief.md.j2" %}
{% for search in research.execute.searches %}
{{ search.question | data }}: {{ search.text | data }}
{% for source in search.sources %}
[{{ source.id }}] {{ source.url }} {{ source.date | default("", true) }}
{% endfor %}
{% endfor %}
{% if research.execute.missing %}
{{ research.execute.missing | join(", ") }}
{% endif %}
{% endblock %}
"""
OUTLINE = """\
{% block system %}Be brief.{% endblock %}
{% block user %}
{% for topic in research.integrate.topics %}
{{ topic.title | data }}
{% if topic.mood == "dark" %}
{{ topic.title | upper }}
{% endif %}
{% endfor %}
{{ platform.max_length }}
{% endblock %}
"""
PROMPTS = {
    "_brief": "About {{ input.theme | data }} on {{ today }}, {{ input.depth }} deep.\n",
    "plan": prompt("Plan for {{ input.theme | data }}."),
    "search": prompt("{{ item.question }}"),
    "topics": TOPICS,
    "outline": OUTLINE,
    "posts": prompt("{{ 'short' if shorter else 'long' }} {{ writing.think.plan }}"),
}
SCHEMAS = {
    "plan": strict(questions=listed(question=TEXT)),
    "topics": strict(topics=listed(title=TEXT, mood={"type": "string", "enum": ["light", "dark"]})),
    "outline": strict(plan=TEXT),
    "posts": strict(posts=listed(number={"type": "integer"}, content=TEXT, sourceUrl={"type": ["string", "null"]})),
}


def write(folder: Path) -> Path:
    """Write the workflow, which has no mistake."""
    (folder / "schemas").mkdir(parents=True)
    (folder / "workflow.yaml").write_text(WORKFLOW, "utf-8")
    for language in ("en", "ja"):
        (folder / "prompts" / language).mkdir(parents=True)
        for name, text in PROMPTS.items():
            (folder / "prompts" / language / f"{name}.md.j2").write_text(text, "utf-8")
    for name, schema in SCHEMAS.items():
        (folder / "schemas" / f"{name}.json").write_text(json.dumps(schema, indent=2), "utf-8")
    return folder

"""Broken workflows: one mistake planted in the small one, and where and how it must be told."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Broken(NamedTuple):
    """`old` becomes `new` in `file`. Told in `told_in` (or `file`) at the first line with `line`, "" is none at all."""

    what: str
    file: str
    old: str
    new: str
    line: str
    cause: str
    suggestion: str = ""
    told_in: str = ""


W, T, OUT, P = "workflow.yaml", "prompts/en/topics.md.j2", "prompts/en/outline.md.j2", "prompts/ja/posts.md.j2"
SEARCH = "prompts/en/search.md.j2"
ENDLESS = "\n{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
MULTIPLIED = """{% set few = range(900) %}
{% for a in few %}{% for b in few %}
{% for c in few %}{% endfor %}{% endfor %}{% endfor %}"""
DOUBLED = "{% set n = namespace(x='ab') %}{% for i in range(99) %}\n{% set n.x = n.x ~ n.x %}{% endfor %}"
TWICE = "{% macro m(n) %}{{ m(n - 1) ~ m(n - 1) if n }}{% endmacro %}{{ m(60) }}"
SEARCHED = """\
    execute:
      provider: perplexity
      prompt: search
      for_each: research.execute.searches
      max_output_tokens: 100
      cap_usd: 0.05
"""
PLAN, TOPICS, OUTLINE, POSTS = (f"schemas/{name}.json" for name in ("plan", "topics", "outline", "posts"))

BROKEN = [
    # the form
    Broken(
        "an unknown key", W, "budget_usd: 1", "budget_usd: 1\nbuget_usd: 2", "buget_usd", "unknown key", "'budget_usd'"
    ),
    Broken("a misspelled key", W, "at_most: 3", "at_mots: 3", "at_mots", "at_mots: unknown key", "'at_most'"),
    Broken(
        "an unknown key of a phase", W, "    think:\n", "    thinks:\n", "thinks:", "thinks: unknown key", "'think'"
    ),
    Broken("a missing key", W, "budget_usd: 1\n", "", "name: small", "budget_usd: is required"),
    Broken("a step without its limit", W, "      cap_usd: 0.05\n", "", "    execute:", "cap_usd: is required"),
    Broken(
        "a key twice",
        W,
        "languages: [en, ja]",
        "languages: [en, ja]\nname: other",
        "name: other",
        "given twice, first in line 1",
    ),
    Broken(
        "a word for a number",
        W,
        "at_most: 3",
        "at_most: three",
        "at_most",
        "valid integer",
        "a number in place of 'three'",
    ),
    Broken("a number below its least", W, "at_most: 3", "at_most: 0", "at_most", "greater than or equal to 1"),
    Broken("money without bounds", W, "budget_usd: 1", "budget_usd: .inf", "budget_usd", "is no text, number"),
    Broken(
        "an unknown provider",
        W,
        "provider: perplexity",
        "provider: perplexty",
        "perplexty",
        "there are gpt, perplexity",
        "'perplexity'",
    ),
    Broken("a name with blanks", W, "name: small", "name: A small one", "name: A", "should match pattern"),
    Broken("a bare no", W, "languages: [en, ja]", "languages: [en, ja, no]", "languages", "valid string", "quote it"),
    Broken("a version as text", W, "version: 1", "version: one", "version", "valid integer"),
    Broken("no phases", W, "phases:\n", "phases: []\nold:\n", "phases: []", "at least 1 item"),
    Broken("an input of no type", W, "type: integer", "type: intger", "intger", "inputs.depth.type", "'integer'"),
    Broken(
        "an integer that starts below its least",
        W,
        "default: 3",
        "default: 9",
        "depth:",
        "the default 9 must be from 1 to 5",
    ),
    Broken(
        "a limit of another type", W, "required: true", "minimum: 1", "theme:", "minimum is no limit of the type string"
    ),
    Broken(
        "a default that cannot be chosen",
        W,
        "default: twitter",
        "default: x",
        "platform:",
        "'x' is none of its choices",
    ),
    # texts, names
    Broken("a missing language", W, "  ja: 小さい\n", "", "title:", "title has no text in 'ja'"),
    Broken(
        "a language nobody speaks here",
        W,
        "  ja: 小さい",
        "  ja: 小さい\n  jaa: 小",
        "jaa:",
        "'jaa' is none of",
        "'ja'",
    ),
    Broken(
        "notes in one language", W, "      ja: 短く。\n", "", "notes:", "platforms.twitter.notes has no text in 'ja'"
    ),
    Broken(
        "two phases of one name",
        W,
        "name: writing",
        "name: research",
        "- name: research\n    title: {en: Writing",
        "'research' is taken",
    ),
    Broken("a phase with a variable's name", W, "name: writing", "name: input", "- name: input", "'input' is taken"),
    Broken(
        "a platform nobody can choose",
        W,
        "  note:\n",
        "  notes:\n",
        "\n  notes:",
        "no choice of inputs.platform",
        "'note'",
    ),
    Broken("hashtags the wrong way round", W, "[0, 2]", "[3, 2]", "hashtags", "[fewest, most]"),
    # steps
    Broken(
        "a prompt that is missing",
        W,
        "prompt: outline",
        "prompt: outlin",
        "outlin",
        "prompts/ja/outlin.md.j2 is missing",
        "'outline'",
    ),
    Broken(
        "a schema that is missing",
        W,
        "schema: posts",
        "schema: post",
        "schema: post",
        "schemas/post.json is missing",
        "'posts'",
    ),
    Broken(
        "a GPT step without a schema",
        W,
        "      schema: outline\n",
        "",
        "    think:\n      provider: gpt\n      prompt: outline",
        "needs a schema",
    ),
    Broken(
        "a search with a schema",
        W,
        "for_each:",
        "schema: plan\n      for_each:",
        "      schema: plan\n      for",
        "a search has no schema",
    ),
    Broken(
        "an EXECUTE over nothing", W, "      for_each: research.think.questions\n", "", "    execute:", "needs for_each"
    ),
    Broken(
        "a fan-out over no step",
        W,
        "research.think.q",
        "research.thin.q",
        "for_each",
        "no step 'research.thin'",
        "'research.think'",
    ),
    Broken(
        "a fan-out over no list",
        W,
        "think.questions",
        "think.question",
        "for_each",
        "no list 'question'",
        "'questions'",
    ),
    Broken(
        "a fan-out over a search",
        W,
        "    integrate:\n      provider: gpt\n      prompt: posts",
        f"{SEARCHED}    integrate:\n      provider: gpt\n      prompt: posts",
        "for_each: research.execute",
        "'research.execute' is a search",
    ),
    Broken("a fan-out over a later step", W, "research.think.q", "writing.think.q", "for_each", "comes later"),
    Broken(
        "a THINK that fans out",
        W,
        "prompt: plan",
        "prompt: plan\n      at_most: 2",
        "at_most: 2",
        "only EXECUTE fans out",
    ),
    Broken("more successes than calls", W, "min_success: 2", "min_success: 4", "min_success", "4 of at most 3"),
    Broken(
        "a cache for GPT",
        W,
        "schema: topics",
        "schema: topics\n      cache_seconds: 5",
        "cache_seconds: 5",
        "for searches only",
    ),
    Broken(
        "an unknown parameter",
        W,
        "reasoning_effort",
        "reasoning_efort",
        "reasoning_efort",
        "no such parameter",
        "'reasoning_effort'",
    ),
    Broken(
        "a parameter out of range",
        W,
        "reasoning_effort: low",
        "temperature: 3",
        "temperature",
        "greater than the maximum",
    ),
    Broken("a fallback to itself", W, "          model: other\n", "", "        - provider: gpt", "has asked already"),
    Broken(
        "a fallback of another kind",
        W,
        "- provider: gpt",
        "- provider: perplexity",
        "- provider: perplexity",
        "no provider of a text",
    ),
    Broken(
        "a gate behind the last phase",
        W,
        "phases: [1]",
        "phases: [2]",
        "pause_after_phases",
        "no phase that another",
        "from 1 to 1",
    ),
    Broken("a gate before no step", W, "[1.EXECUTE]", "[2.EXECUTE]", "pause_before", "no '2.EXECUTE'", "'1.EXECUTE'"),
    Broken(
        "a budget below the worst case",
        W,
        "budget_usd: 1",
        "budget_usd: 0.1",
        "budget_usd",
        "worst case of one pass, 0.39",
        "raise it to 0.39",
    ),
    # drafts
    Broken(
        "a draft of no step",
        W,
        "content: writing.integrate",
        "content: writing.integrat",
        "content: w",
        "no step 'writing.integrat'",
        "'writing.integrate'",
    ),
    Broken(
        "a draft of no list",
        W,
        "integrate.posts.content",
        "integrate.post.content",
        "content: w",
        "no list 'post'",
        "'posts'",
    ),
    Broken(
        "a draft of no field",
        W,
        "posts.sourceUrl",
        "posts.sourceURL",
        "sourceUrl:",
        "no field 'sourceURL'",
        "'sourceUrl'",
    ),
    Broken("a key that is no number", W, "key: number", "key: content", "key:", "is no integer"),
    Broken("a key that is not there", W, "key: number", "key: numbr", "key:", "no field 'numbr'", "'number'"),
    # prompts
    Broken(
        "an unknown variable",
        T,
        "{{ search.question",
        "{{ colour }}{{ search.question",
        "colour",
        "unknown variable 'colour'",
    ),
    Broken(
        "a variable misspelled in a part",
        "prompts/en/_brief.md.j2",
        "{{ today",
        "{{ todya",
        "todya",
        "unknown variable 'todya'",
        "'today'",
    ),
    Broken(
        "a field misspelled in a loop",
        OUT,
        "topic.title | data",
        "topic.titel | data",
        "titel",
        "unknown attribute research.integrate.topics[].titel",
        "'title'",
    ),
    Broken(
        "a field that only one branch has",
        OUT,
        "topic.title | upper",
        "topic.ttle | upper",
        "ttle",
        "unknown attribute research.integrate.topics[].ttle",
        "'title'",
    ),
    Broken(
        "an input that is none",
        "prompts/ja/plan.md.j2",
        "input.theme",
        "input.thema",
        "thema",
        "unknown attribute input.thema",
        "'theme'",
    ),
    Broken(
        "a later step's answer",
        T,
        "research.execute.missing |",
        "research.integrate |",
        "research.integrate",
        "unknown attribute research.integrate",
    ),
    Broken(
        "a later phase's answer",
        T,
        "{% for search",
        "{{ writing.think.plan }}{% for search",
        "writing",
        "unknown attribute writing.think",
    ),
    Broken(
        "a field of an item that is none",
        SEARCH,
        "item.question",
        "item.qestion",
        "qestion",
        "unknown attribute item.qestion",
        "'question'",
    ),
    Broken(
        "a list taken for an object",
        OUT,
        "in research.integrate.topics",
        "in research.integrate.topics.title",
        "topics.title",
        "is a list and has no 'title'",
    ),
    Broken(
        "a block that is not closed", T, "{% endfor %}\n{% if", "{% if", "\n{% endblock %}", "unknown tag 'endblock'"
    ),
    Broken("an unknown filter", P, "plan }}", "plan | shuot }}", "shuot", "No filter named 'shuot'"),
    Broken("a filter misspelled", OUT, "| upper", "| uper", "uper", "No filter named 'uper'", "'upper'"),
    Broken("a prompt without a user block", P, "block user", "block usr", "", "has no block 'user'", "'usr'"),
    Broken("a part that is missing", T, "_brief.md", "_breif.md", "_breif", "there is no _breif.md.j2"),
    Broken(
        "an expression that cannot be evaluated",
        OUT,
        "platform.max_length",
        "platform.max_length + 'a'",
        "max_length",
        "cannot be rendered: TypeError",
    ),
    # schemas
    Broken("broken JSON", TOPICS, '"type": "object"', '"type" "object"', '"type" "object"', "is no JSON"),
    Broken(
        "a JSON key twice",
        OUTLINE,
        '"plan": {',
        '"plan": {"type": "string"},\n "plan": {',
        '\n "plan": {',
        "given twice",
    ),
    Broken(
        "a keyword the provider refuses",
        OUTLINE,
        '"type": "string"',
        '"type": "string",\n"minLength": 1',
        "minLength",
        "'minLength' is not accepted",
    ),
    Broken(
        "an open object",
        PLAN,
        '"additionalProperties": false',
        '"additionalProperties": true',
        "additionalProperties",
        "additionalProperties: false",
    ),
    Broken("an optional property", OUTLINE, '[\n    "plan"\n  ]', "[]", '"required"', "missing: plan"),
    Broken("a required stranger", OUTLINE, '"plan"\n', '"plan", "plam"\n', '"plam"', "not a property: plam", "'plan'"),
    Broken("a type that does not exist", OUTLINE, '"string"', '"strng"', "strng", "is no JSON Schema", "'string'"),
    Broken("an answer that is a list", OUTLINE, '"object"', '"array"', "{", "the top of an answer must be an object"),
    Broken(
        "an enum without a choice",
        TOPICS,
        '[\n              "light",\n              "dark"\n            ]',
        "[]",
        '"enum"',
        "$.topics[].mood: enum has no choices",
        "at least one value",
    ),
    *(
        Broken(
            f"fields of drafts that are {value}",
            POSTS,
            '"type": "object",\n        "properties": {',
            f'"type": "object",\n        "properties": {value},\n        "description": {{',
            f'"properties": {value}',
            "$.posts[].properties: is no JSON Schema",
        )
        for value in ("[]", "null")
    ),
    Broken(
        "a draft's key that is anything",
        POSTS,
        '{\n            "type": "integer"\n          }',
        "true",
        "true",
        "$.posts[].number: must be a schema, not True",
    ),
    *(
        Broken(
            f"{keyword} beside the fields of an answer",
            OUTLINE,
            '"type": "object",',
            f'"type": "object",\n  "{keyword}": {value},',
            f'"{keyword}"',
            f"$: '{keyword}' beside the type object is not accepted in strict structured output",
            "remove one of them",
        )
        for keyword, value in (("anyOf", '[{"type": "object"}]'), ("const", "{}"), ("enum", "[{}]"))
    ),
    Broken("a number larger than a database keeps", PLAN, "false", "1e999", "1e999", "is too large a number"),
    Broken("a number longer than Python reads", PLAN, "false", "9" * 5000, "9999", "is too large a number"),
    # what would take minutes, or the whole stack
    Broken("loops within loops", T, "Be brief.", ENDLESS, "for a in", "more than 1,000 numbers in sum"),
    Broken("loops that multiply", T, "Be brief.", MULTIPLIED, "for c in", "more than 100,000 turns"),
    Broken("a text that doubles", T, "Be brief.", DOUBLED, "set n.x", "more than 4,000,000 characters"),
    Broken("a text repeated without end", T, "Be brief.", "{{ 'x' * 1000000000 }}", "* 100", "more than 4,000,000"),
    Broken("a number raised without end", T, "Be brief.", "{{ 9 ** 9 ** 9 ** 9 }}", "9 ** 9", "more than 1000 bits"),
    Broken(
        "more slices than a prompt has words", T, "Be brief.", "{{ 'a' | slice(99999) }}", "slice", "more than 10,000"
    ),
    Broken("a macro that calls itself twice", T, "Be brief.", TWICE, "macro m", "more than 100,000 turns"),
    Broken(
        "an expression of 3,000 terms",
        P,
        "{{ 'short'",
        f"\n{{{{ {'1 + ' * 3000}1 }}}}\n{{{{ 'short'",
        "{{ 1 +",
        "is nested too deep: more than 100 levels",
        "{% set %} names a part",
    ),
    Broken(
        "parentheses without end",
        P,
        "{{ 'short'",
        f"\n{{{{ {'(' * 3000}1{')' * 3000} }}}}\n{{{{ 'short'",
        "{{ (((",
        "is nested too deep",
        "{% set %} names a part",
    ),
    # nobody reaches it
    Broken(
        "a step nobody reads",
        "prompts/*/posts.md.j2",
        "{{ writing.think.plan }}",
        "",
        "    think:\n      provider: gpt\n      prompt: outline",
        "writing.think: nobody reads its answer",
        told_in=W,
    ),
    Broken(
        "an input nobody reads",
        "prompts/*/_brief.md.j2",
        ", {{ input.depth }} deep",
        "",
        "depth:",
        "no prompt uses input.depth",
        told_in=W,
    ),
    Broken(
        "a part nobody includes",
        "prompts/*/topics.md.j2",
        '{% include "_brief.md.j2" %}',
        "{{ input.depth }}",
        "",
        "no step and no other prompt uses it",
        told_in="prompts/en/_brief.md.j2",
    ),
    # YAML
    Broken("YAML that is none", W, "title:\n", "title: [\n", "  ja: 小さい", "is no YAML"),
    Broken("a list for a workflow", W, "name: small", "- name: small", "version", "is no YAML"),
    Broken(
        "a tag of Python",
        W,
        "version: 1",
        "version: !!python/object:os.system 1",
        "version",
        "could not determine a constructor",
    ),
    Broken("an alias that holds itself", W, "title:\n", "x: &x [*x]\ntitle:\n", "x: &x", "too many values"),
    *(
        Broken(
            f"a tag that does not suit: {said}",
            W,
            "version: 1",
            f"version: {said}",
            "version",
            f"cannot be read as {said.split()[0]}",
            "write it plainly",
        )
        for said in ("!!int ''", "!!int '-'", "!!float ''", "!!bool maybe", "!!int 0x")
    ),
    Broken(
        "more choices than one can choose from",
        W,
        "[twitter, note]",
        f"[{', '.join(map(str, range(9101, 9302)))}]",
        "enum",
        "at most 100",
    ),
    Broken("a tab for blanks", W, "  en: Small\n", "\ten: Small\n", "\ten", "is no YAML"),
]


def _without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _holds(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _link_out(folder: Path) -> None:
    (folder / PLAN).rename(folder.parent / "elsewhere.json")
    (folder / PLAN).symlink_to(folder.parent / "elsewhere.json")


def _linked(name: str, to: str) -> Callable[[Path], object]:
    def link(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(to)

    return link


def _folder_for_a_file(folder: Path) -> None:
    (folder / PLAN).unlink()
    (folder / PLAN).mkdir()


FILES: list[tuple[str, Callable[[Path], object], str, int | None, str]] = [
    ("no workflow.yaml", _without(W), W, None, "cannot be read: No such file"),
    ("an empty workflow.yaml", _holds(W, b""), W, 1, "is not a mapping"),
    ("no UTF-8", _holds(W, b"name: small\ntitle: \xff\n"), W, 2, "is not UTF-8"),
    ("no UTF-8 in a prompt", _holds(T, b"one\ntwo\nthr\xe9e\n"), T, 3, "is not UTF-8"),
    ("a file too large", _holds(PLAN, b" " * 300_000), PLAN, None, "is larger than 256 KiB"),
    ("a link that leads out", _link_out, PLAN, None, "symbolic link that leads out of the folder"),
    (
        "a link to nothing",
        lambda f: (f / "schemas/x.json").symlink_to("nowhere"),
        "schemas/x.json",
        None,
        "cannot be read",
    ),
    ("a folder that leads to too long a name", _linked("prompts", "x" * 300), "prompts", None, "File name too long"),
    ("a folder that leads to itself", _linked("schemas", "schemas"), "schemas", None, "Too many levels of symbolic"),
    ("a workflow.yaml that leads to too long a name", _linked(W, "x" * 300), W, None, "File name too long"),
    ("a folder for a file", _folder_for_a_file, W, 31, "schemas/plan.json is missing"),
    (
        "a prompt in no language",
        _holds("prompts/plan.md.j2", b""),
        "prompts/plan.md.j2",
        None,
        "is no file of a workflow",
    ),
    (
        "a schema nobody uses",
        _holds("schemas/old.json", b'{"type":"object","properties":{},"required":[],"additionalProperties":false}'),
        "schemas/old.json",
        None,
        "no step uses it",
    ),
    ("a deleted prompt", _without(P), W, 64, "prompts/ja/posts.md.j2 is missing"),
    ("JSON too deep", _holds(PLAN, b"[" * 100_000), PLAN, None, "is nested too deep"),
    ("YAML too deep", _holds(W, b"[" * 3_000), W, None, "is nested too deep"),
    ("a number that JSON has not", _holds(PLAN, b'{"type": NaN}'), PLAN, None, "NaN is no number"),
    ("half a character", _holds(PLAN, b'{"type":\n"\\ud800"}'), PLAN, 2, "half a character"),
]

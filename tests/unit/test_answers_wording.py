"""The texts of both languages have the same shape, so that no answer falls through in one of them."""

from ekiden_simulator.answers.brief import read_brief
from ekiden_simulator.answers.post import content
from ekiden_simulator.answers.story import story
from ekiden_simulator.answers.wording import wording


def shape(value):
    if isinstance(value, dict):
        return {name: shape(child) for name, child in value.items()}
    if isinstance(value, list):
        return [shape(child) for child in value]
    return type(value).__name__


def test_both_languages_have_texts_for_the_same_things():
    assert shape(wording("ja")) == shape(wording("en"))


def test_every_style_has_forms_enough_for_three_different_drafts():
    words = wording("ja")
    for forms in words["styles"].values():
        assert len(set(forms)) >= 3
        assert set(forms) <= set(words["formats"])


def test_every_format_has_three_points_and_a_choice_of_openings():
    for language in ("ja", "en"):
        for spoken in wording(language)["formats"].values():
            assert len(spoken["points"]) == 3
            assert len(set(spoken["hooks"])) == 2


def test_readers_comment_where_a_platform_has_comments_and_reply_elsewhere():
    note, linkedin = str(wording("ja", "note")["timing"]), str(wording("en", "linkedin")["tips"])
    assert ("コメント" in note, "返信" in note) == (True, False)
    assert ("comments" in linkedin, "repl" in linkedin) == (True, False)
    assert "返信" in str(wording("ja", "twitter")["timing"])


def test_what_a_search_found_is_said_in_the_same_words_on_every_platform():
    for language in ("ja", "en"):
        for name in ("findings", "topics", "search"):
            assert wording(language, "note")[name] == wording(language)[name]


def test_a_japanese_post_quotes_a_source_and_keeps_its_own_tone():
    source = "[S1] 経過 https://media.example.com/trends/20261120-b2c6e940 2026-11-20"
    brief = read_brief(f"テーマ: 介護\nプラットフォーム: note\n今日の日付: 2026-11-23\n{source}\n")
    for index in range(3):
        text = content(story(brief, index, seed=1))
        assert "「完成した成功談よりも、試行錯誤の途中を見せた投稿がよく保存されている」" in text

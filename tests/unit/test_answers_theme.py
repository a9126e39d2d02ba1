"""Themes and hashtags: whatever a user types has to fit into a sentence and behind a #."""

import pytest

from ekiden_simulator.answers.hashtags import hashtags
from ekiden_simulator.answers.theme import theme_of, width


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("AIと働き方", "AIと働き方"),
        (" 地方の\n空き家再生 ", "「地方の 空き家再生」"),
        ("「働く」とは？", "「働くとは？」"),
        ("<script>x</script>介護離職{t}", "「x 介護離職t」"),
        ("\u200b", "このテーマ"),
    ],
)
def test_a_theme_is_cleaned_and_quoted_where_it_needs_it(raw, name):
    assert theme_of(raw, "ja").name == name


def test_an_english_theme_keeps_its_apostrophes_and_starts_a_sentence_in_upper_case():
    theme = theme_of("parents' 'working' day, don't ask", "en")
    assert theme.name == "parents working day, don't ask"
    assert theme.start.startswith("Parents")


def test_a_long_theme_is_cut_at_a_word():
    theme = theme_of("how small towns in the north bring empty houses back to life again", "en")
    assert width(theme.text) <= 56
    assert theme.text.endswith("back…")


@pytest.mark.parametrize(
    ("theme", "language", "count", "tags"),
    [
        ("AIと働き方", "ja", 2, ["#AI", "#働き方"]),
        ("地方の空き家再生", "ja", 1, ["#地方の空き家再生"]),
        ("ひとり旅", "ja", 2, ["#ひとり旅", "#学び"]),
        ("the art of remote work", "en", 2, ["#RemoteWork", "#Art"]),
        ("remote work and small towns", "en", 2, ["#RemoteWork", "#SmallTowns"]),
        ("how to sleep better", "en", 2, ["#SleepBetter", "#Better"]),
        ("2026", "en", 2, ["#学び", "#解説"]),
        ("Wärmepumpen im Altbau", "en", 2, ["#Wärmepumpen", "#Altbau"]),
    ],
)
def test_hashtags_are_made_of_the_themes_own_words_first(theme, language, count, tags):
    assert hashtags(theme_of(theme, language), ["#学び", "#解説"], count, 0) == tags

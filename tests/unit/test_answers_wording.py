"""The texts of both languages have the same shape, so that no answer falls through in one of them."""

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

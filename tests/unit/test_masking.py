"""Secrets in texts: known by their value in every form they may take, and guessed by their look."""

from collections.abc import Iterator

import pytest

from ekiden import masking
from ekiden.masking import hide, know, passwords_in

SECRET = 'pa$$ "word"/ä@1'


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    know(())


@pytest.mark.parametrize(
    "text",
    [
        f"the password {SECRET} was refused",
        "mongodb://me:pa%24%24%20%22word%22%2F%C3%A4%401@db/",
        r'{"error": "pa$$ \"word\"/ä@1"}',
        r'{"error": "pa$$ \"word\"/\u00e4@1"}',
    ],
)
def test_a_known_secret_is_hidden_in_every_form(text: str) -> None:
    know([SECRET])
    hidden = hide(text)
    assert "***" in hidden
    assert "word" not in hidden.replace("password", "")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key sk-proj-0123456789abc.", "key ***."),
        ("pplx-0123456789abcdef", "***"),
        ("Authorization: Bearer eyJhbGciOi.J9-x_y", "Authorization: Bearer ***"),
        ("authorization: basic Z3Vlc3Q6Z3Vlc3Q=", "authorization: basic ***"),
        ("amqp://guest:guest@127.0.0.1:5672/", "amqp://***@127.0.0.1:5672/"),
        ("mongodb://me:p@ss/w@rd@db:27017/?x=1", "mongodb://***@db:27017/?x=1"),
        ("mongodb://:secret@db", "mongodb://***@db"),
    ],
)
def test_a_secret_is_guessed_by_its_look(text: str, hidden: str) -> None:
    assert hide(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9000/metrics",
        "a basic understanding of things",
        "the bearer of news",
        "basic authorization is what it is",
        "task-done",
        '{"url": "http://a:1/", "by": "me@example.com"}',
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert hide(text) == text


def test_what_is_too_short_or_stands_for_no_key_makes_no_holes() -> None:
    know(["guest", "simulator", ""])
    assert hide("the simulator has a guest") == "the simulator has a guest"


def test_the_longer_of_two_secrets_goes_first() -> None:
    know(["0123456789", "0123456789-and-more"])
    assert hide("x 0123456789-and-more y") == "x *** y"


@pytest.mark.parametrize(
    ("address", "passwords"),
    [
        ("mongodb://db/?replicaSet=rs0", set[str]()),
        ("amqp://me:p%40ss@db:5672/", {"p%40ss", "p@ss"}),
        ("mongodb://me:p@ss/w@db", {"p@ss/w"}),
        ("https://api.openai.com/v1", set[str]()),
    ],
)
def test_an_address_tells_its_password(address: str, passwords: set[str]) -> None:
    assert passwords_in(address) == passwords


def test_no_secret_at_all_is_known_at_first() -> None:
    assert masking._known is None

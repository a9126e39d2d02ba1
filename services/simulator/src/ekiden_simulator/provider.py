"""Who is imitated, and what can be asked of them."""

from enum import StrEnum


class Provider(StrEnum):
    """A provider of paid calls; its value is the name used in faults, bill and statistics."""

    OPENAI = "openai"
    PERPLEXITY = "perplexity"


class Operation(StrEnum):
    """One kind of request. OpenAI has only `SUBMIT`, which answers at once."""

    SUBMIT = "submit"
    POLL = "poll"
    CANCEL = "cancel"

"""Who may call: any key is good that is not empty and does not begin with `bad`."""

from starlette.requests import Request

_PERPLEXITY_PREFIX = "pplx-"


def bearer_key(request: Request) -> str:
    """Return the key of `Authorization: Bearer …`, empty when there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def is_good(key: str) -> bool:
    """Tell whether a provider would let this key in."""
    return bool(key) and not key.startswith("bad")


def is_perplexity(key: str) -> bool:
    """Tell which provider a key belongs to, for the paths both have."""
    return key.startswith(_PERPLEXITY_PREFIX)

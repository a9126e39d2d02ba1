"""Chance that does not depend on order: drawn from a hash, never from a shared generator."""

from hashlib import blake2b

_BITS = 52  # what a float holds exactly, with half a step to spare at both ends


def fraction(seed: int, *texts: str) -> float:
    """Return a number strictly between 0 and 1, always the same for the same seed and texts."""
    digest = blake2b(str(seed).encode(), digest_size=8)
    for text in texts:
        digest.update(b"\0")
        digest.update(text.encode("utf-8", "surrogatepass"))
    number = int.from_bytes(digest.digest(), "big") >> (64 - _BITS)
    return (number + 0.5) / (1 << _BITS)

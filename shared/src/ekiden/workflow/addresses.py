"""Addresses in text: which there are, and the text without those that no search returned.

What counts as an address is what a reader's device may follow: with a scheme, without one (`//host`, `www.`,
`host.tld/path`), as a Markdown link or image, as an HTML tag, and spelled with entities or full-width letters.
"""

import html
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

LONGEST_ADDRESS = 2000
_END = r"\s<>\"'()\[\]{}（）「」『』【】、。，！？"
_FILES = r"(?:js|ts|jsx|tsx|css|html?|json|ya?ml|txt|csv|pdf|png|jpe?g|gif|svg|docx|xlsx|pptx)"
"""What ends a file's name, and is no top-level domain: neither `Node.js/React` nor `ASP.NET/Blazor` is an address."""
_ADDRESS = re.compile(
    rf"//(?<![A-Za-z:/]//)(?=[^/{_END}]+\.)[^{_END}]*"
    rf"|(?<![A-Za-z])(?=[a-z0-9ｈ-])(?:"
    rf"(?:"
    rf"(?:https?|ｈｔｔｐｓ?|hxxps?|ftps?|wss?|file)[:：][/／\\]{{1,3}}"
    rf"|(?<![0-9@._-])(?:"
    rf"www[0-9]?[.．](?=[^{_END}])"
    rf"|(?:[a-z0-9-]+\.)+(?!{_FILES}\b|(?-i:NET)\b)[a-z]{{2,24}}(?::[0-9]+)?[/?](?=[A-Za-z0-9%~?#&=._-])"
    rf"|(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}(?::[0-9]+)?/"
    rf"))[^{_END}]*"
    rf"|(?:javascript|vbscript)\s*[:：]\s*(?=[\w.]*[(=;`]|//|%)[^\s<>\"「」。]*"
    rf"|data[:：][a-z]+/[a-z0-9.+-]+[;,][^\s<>\"'「」。]*"
    rf")",
    re.IGNORECASE,
)
"""Nothing but `//` begins one within a word: that is looked at first, because it is what most characters fail by."""
_SIGN = re.compile(
    r"[:：/?.．](?:(?<=[:：])(?=[/／\\])|(?<=\s[:：])|(?<=[Pp][Tt][:：])|(?<=/)(?=/)|(?<=\w/)"
    r"|(?<=\w\?)(?=[\w%~?#&=.-])|(?<=[Ww]{3}[.．])|(?<=[Ww]{3}[0-9][.．]))"
)
"""What every address has somewhere; to look for it takes a twentieth of the time that looking for addresses takes."""
_BEHIND = ".,;:!?'*_"
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_MARKDOWN = re.compile(r"(!?)\[([^\[\]]*)\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)")
_NEVER = re.compile(r"[\s<>\"'`\\{}|^\x00-\x1f]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|colon|sol|bsol|period|lpar|rpar);", re.IGNORECASE)
_SITE = re.compile(
    r"(?<![A-Za-z0-9._-])((?:[a-z0-9-]+\.)+(?:com|net|org|info|biz|edu|gov|jp|cn|tw|kr|uk|de|fr|eu|us|ca|au|in|ru|io|ai"
    r"|co|me|tv|cc|ly|gl|to|gg|so|fm|app|dev|xyz|top|site|online|shop|store|club|link|click|live|blog|news|page|example"
    r"|test|invalid))(?![A-Za-z0-9-]|\.[A-Za-z0-9])",
    re.IGNORECASE,
)


def is_web_address(text: object) -> bool:
    """Whether a text is an address of the web that may be shown: http or https, a host, and nobody's password."""
    if not isinstance(text, str) or len(text) > LONGEST_ADDRESS or _NEVER.search(text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def addresses(text: str) -> Iterator[str]:
    """The addresses that stand in a text, without the marks of a sentence behind them."""
    return (found[0].rstrip(_BEHIND) for found in _ADDRESS.finditer(text)) if _SIGN.search(text) else iter(())


def without_foreign(text: str, known: frozenset[str]) -> str:
    """The text without addresses that are not among the known ones, and without the markup that carried them.

    A sentence's full stop behind an address is not its part. A text without any such address comes back as it is.
    """
    plain = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if not _SIGN.search(plain) or not _ADDRESS.search(plain):
        return text
    made = _TAG.sub(lambda tag: "" if _any_foreign(tag[0], known) else tag[0], plain)
    made = _MARKDOWN.sub(lambda link: _unlinked(link, known), made)
    made = _ADDRESS.sub(lambda found: _kept(found, known), made)
    return text if made == plain else made


def sites_named(text: str) -> list[str]:
    """Names in a text that some platforms turn into links by themselves, such as `example.com`."""
    return [found[1].lower() for found in _SITE.finditer(_ADDRESS.sub(" ", text))]


def _unlinked(link: re.Match[str], known: frozenset[str]) -> str:
    """A foreign link is its words; a foreign picture is nothing, for its words may carry what was to be sent out."""
    if not _any_foreign(link[0], known):
        return link[0]
    return "" if link[1] else link[2]


def _any_foreign(text: str, known: frozenset[str]) -> bool:
    return any(not _is_known(found, known) for found in _ADDRESS.finditer(text))


def _kept(found: re.Match[str], known: frozenset[str]) -> str:
    return found[0] if _is_known(found, known) else found[0][len(found[0].rstrip(_BEHIND)) :]


def _is_known(found: re.Match[str], known: frozenset[str]) -> bool:
    """Whether it is a known address, whole: not one that only begins like it.

    Words of a language without spaces may follow at once, when the known address has a path and so a finished host.
    """
    if found[0] in known or found[0].rstrip(_BEHIND) in known:
        return True
    for url in known:
        if found.string.startswith(url, found.start()):
            rest = found.string[found.start() + len(url) : max(found.end(), found.start() + len(url))]
            if not rest.strip(_BEHIND) or (url.count("/") > 2 and not rest[0].isascii()):
                return True
    return False

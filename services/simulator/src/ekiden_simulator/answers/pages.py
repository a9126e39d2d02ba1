"""What the pages at the simulator's addresses say: an answer that is shown an address knows its page."""

from urllib.parse import urlsplit

from ekiden_simulator.answers.sources import Source
from ekiden_simulator.answers.wording import Wording


def sentence_of(source: Source, words: Wording) -> str | None:
    """Return the one sentence that a source's page comes down to, None for an address of somebody else."""
    address = urlsplit(source.url)
    folder = address.path.strip("/").partition("/")[0]
    for findings in words["findings"].values():
        for finding in findings:
            if (finding["host"], finding["path"]) == (address.hostname, folder):
                return finding["sentence"]
    return None

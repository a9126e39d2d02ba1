"""A secret on the command line: printed once, and never again."""

from ekiden_cli.terminal import Terminal


def tell_secret(secret: str, terminal: Terminal) -> None:
    """Print a secret, and that it is the only time; in JSON it stands in the document, and the sentence beside it."""
    if not terminal.as_json:
        terminal.say(f"Secret:    {secret}")
    terminal.say("Store the secret now: it is shown this once, and nothing can show it again.")

"""What a session gave, to take away: its drafts as Markdown and CSV, its report as Markdown and HTML."""

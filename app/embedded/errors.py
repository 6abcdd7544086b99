"""What can go wrong with embedded servers."""


class EmbeddedServersError(Exception):
    """The embedded servers cannot be had; the text is one sentence for the user."""

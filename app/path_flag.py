"""Reads the paths of flags."""

from argparse import ArgumentTypeError
from pathlib import Path

from app.settings_row import NO_ADDRESS, is_address


def path_flag(text: str) -> Path:
    """Return the path that a flag names, for argparse's ``type``.

    Raises:
        ArgumentTypeError: it is an address.
    """
    if is_address(text):
        raise ArgumentTypeError(NO_ADDRESS)
    return Path(text)

"""Reads the numbers of flags that are no settings: of one command, within limits."""

from argparse import ArgumentTypeError
from collections.abc import Callable

from app.settings_row import quoted


def number_flag(
    kind: type[int] | type[float], minimum: float, maximum: float
) -> Callable[[str], int | float]:
    """Return what reads the number of a command's own flag, for argparse's ``type``.

    It raises `ArgumentTypeError` where the text is no such number.
    """

    def read(text: str) -> int | float:
        try:
            number = kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise ArgumentTypeError(f"must be {what}, not {quoted(text)}") from None
        # Negated, so that NaN is refused too.
        if not minimum <= number <= maximum:
            raise ArgumentTypeError(f"must be between {minimum:,} and {maximum:,}, not {number}")
        return number

    return read

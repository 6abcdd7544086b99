"""Standard input, output and error, which may be closed, full, left by their reader, or ASCII."""

import io
import os
import sys
from typing import TextIO


class OutputError(Exception):
    """What was asked for cannot be written to standard output; the text is a sentence."""


class ReaderLeft(OutputError):
    """Who reads standard output has seen enough, as `head` has: nothing to be told."""


def repair() -> None:
    """Make the streams such that writing text fails for want of room or of a reader only.

    Standard output stays None where it was closed: what is printed there goes nowhere.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets this number, the lowest that is free. Otherwise a connection would, and
            # errors of the interpreter would be sent to a client.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper) and not sys.stderr.isatty():
        sys.stderr.reconfigure(encoding="utf-8")  # JSON has no other (RFC 8259, section 8.1).


def tell(text: str, stream: TextIO | None = None) -> None:
    """Say something that no work depends on, on standard output or another stream.

    A person may have left: that ends neither a service nor a command in the middle of its work.
    """
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        _discard(stream)


def show(text: str) -> None:
    """Write what a command was asked for to standard output.

    Raises:
        OutputError: there is no room.
        ReaderLeft: nobody reads any more.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        raise output_error(error) from error


def finish() -> None:
    """Write what is still kept for standard output; raises as `show` does."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise output_error(error) from error


def output_error(error: OSError) -> OutputError:
    """Return what to raise when standard output has failed; what comes after goes nowhere."""
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderLeft()
    return OutputError(f"standard output: {error.strerror}")


def _discard(stream: TextIO) -> None:
    # What is still in the buffer would fail once more when Python ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

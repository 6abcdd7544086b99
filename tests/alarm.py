"""Says that something took too long, and never because the machine is busy."""

import asyncio

_TURNS = 50


class Alarm:
    """Rings some seconds after it was made, when the loop has done what had to be done by then.

    Deadlines of the same loop that are shorter end first, also where all of them are late: so
    ``assert not alarm.has_rung`` holds what ``assert seconds < limit`` holds on a fast machine.
    """

    def __init__(self, seconds: float) -> None:
        self.has_rung = False
        self._loop = asyncio.get_running_loop()
        self._loop.call_later(seconds, self._wait, _TURNS)

    def _wait(self, turns: int) -> None:
        if turns:
            self._loop.call_soon(self._wait, turns - 1)
        else:
            self.has_rung = True

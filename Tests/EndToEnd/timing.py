"""Time for promises: what happens within a second does so on a machine that stands still now and then, too."""

import threading
import time

STEP = 0.01
# What a thread that only slept may be late on any machine.
USUAL = 0.02


class Watch:
    """Looks again and again whether a short sleep took much longer: then nobody here had a turn."""

    def __init__(self):
        self.seen = time.monotonic(), 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def now(self):
        """What `time.monotonic` says, and what was lost until then."""
        last, lost = self.seen
        now = time.monotonic()
        return now, lost + max(0.0, now - last - STEP - USUAL)

    def _look(self):
        while True:
            time.sleep(STEP)
            self.seen = self.now()


WATCH = Watch()


def lost():
    """Seconds in which the machine did something else, since the start."""
    return WATCH.now()[1]


def steady():
    """Seconds as `time.monotonic` has them, without those that were lost: for the most that something may take."""
    now, lost = WATCH.now()
    return now - lost


class Stopwatch:
    """How long something takes from now on."""

    def __init__(self):
        self.real, self.fair = time.monotonic(), steady()

    def __repr__(self):
        return f"{time.monotonic() - self.real:.3f} s, {steady() - self.fair:.3f} s without what was lost"

    def within(self, least, most):
        """At least so long by any clock, at most so long of the machine's time."""
        return least <= time.monotonic() - self.real and steady() - self.fair <= most

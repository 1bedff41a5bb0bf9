"""Ctrl-C and SIGTERM as a request to stop at the next safe point."""

import signal
import threading


class StopRequest:
    """While entered, the first SIGINT or SIGTERM sets ``number``; a second Ctrl-C interrupts at once.

    ``status`` is the exit status to end with, as shells report it: 128 + 2 = 130 after Ctrl-C, 128 + 15 = 143 after
    SIGTERM. Outside the main thread, where Python allows no handlers, signals keep their meaning.
    """

    def __init__(self):
        self.number, self.previous = 0, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception):
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame):
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number

    def __bool__(self):
        return bool(self.number)

    @property
    def status(self):
        return 128 + self.number if self.number else 0

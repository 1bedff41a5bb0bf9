"""Progress of a run: a bar on a terminal, a plain line every few seconds elsewhere."""

import sys
import time

from tqdm import tqdm

from minirnn.errors import printable

SHOWN = 300  # bytes of a text that are shown while training
PLAIN_EVERY = 10.0  # seconds between plain lines


class Progress:
    """Shows what is measured, the speed and the time left of ``total`` updates, of which ``done`` were made earlier."""

    def __init__(self, total, done=0, name="", stream=None, quiet=False):
        self.total, self.done, self.name = total, done, name
        self.stream, self.quiet = stream if stream is not None else sys.stderr, quiet
        self.begin = self.said = time.monotonic()
        self.made = 0
        self.bar = None
        if not quiet and self.stream.isatty():
            self.bar = tqdm(total=total, initial=done, desc=name, unit="update", file=self.stream, dynamic_ncols=True)

    def update(self, epoch, rate, measured):
        """One update was made; ``rate`` in words, such as "900 tokens/s", ``measured`` over the epoch so far."""
        self.made += 1
        if self.bar is not None:
            self.bar.set_postfix_str(f"{in_words(measured)}, {rate}", refresh=False)
            self.bar.set_description(f"{self.name} epoch {epoch}".strip(), refresh=False)
            self.bar.update()
        elif not self.quiet and time.monotonic() - self.said > PLAIN_EVERY:
            self.said = time.monotonic()
            at = f"epoch {epoch} update {self.done + self.made}/{self.total}"
            self.line(f"{at} {in_words(measured)}, {rate}, {clock(self.left())} left")

    def line(self, text):
        """Print one line, above the bar if there is one."""
        if self.bar is not None:
            self.bar.write(text, file=self.stream)
        elif not self.quiet:
            print(f"{self.name} {text}".strip(), file=self.stream, flush=True)

    def show(self, attachments):
        """Show the beginning of each text among what was made, {name: bytes}: a sample of a language model."""
        for name, data in attachments.items():
            if name.endswith(".txt"):
                text = " ".join(printable(data[:SHOWN].decode("utf-8", errors="replace")).split())
                self.line(f"{name.removesuffix('.txt')}: {text}{' ...' if len(data) > SHOWN else ''}")

    def left(self):
        """Seconds the remaining updates will take at the speed so far."""
        return (time.monotonic() - self.begin) / max(self.made, 1) * (self.total - self.done - self.made)

    def close(self):
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()


def in_words(measured):
    """{"loss": 4.321, "perplexity": 75.3} -> "loss 4.3210 perplexity 75.30"."""
    return " ".join(f"{name} {value:.{4 if name == 'loss' else 2}f}" for name, value in measured.items())


def clock(seconds):
    """1:02:03 or 4:05."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

"""What a download says while it runs: a bar on a terminal, plain lines elsewhere."""

import contextlib
import sys

from tqdm import tqdm


class Report:
    """Messages and progress on ``stream`` (standard error); ``quiet`` says nothing."""

    def __init__(self, stream=None, quiet=False):
        self.stream, self.quiet = stream if stream is not None else sys.stderr, quiet

    def line(self, text):
        """Print one line."""
        if not self.quiet:
            print(text, file=self.stream, flush=True)

    @contextlib.contextmanager
    def progress(self, name, start, total):
        """A function to call with the bytes just received; ``total`` is None when the server does not say."""
        if not self.quiet and self.stream.isatty():
            with tqdm(total=total, initial=start, desc=name, unit="B", unit_scale=True, file=self.stream) as bar:
                yield bar.update
            return
        have, said = start, start

        def step(count):
            nonlocal have, said
            have += count
            if have - said >= max((total or 0) // 4, 1 << 20):  # a line each quarter, at most one a MiB
                said = have
                self.line(f"{name}: {have / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total else " MB"))

        yield step

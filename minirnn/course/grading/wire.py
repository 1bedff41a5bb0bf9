"""Values as bytes and back, with nothing in them that could run: numbers, text, arrays, lists, dictionaries.

A function becomes a number under which it can be called, anything else its type's name.
"""

import json
import os
import re
import select
import struct
import time
from typing import NamedTuple

import numpy as np

MOST = 64 * 2**20  # bytes of one message
DEPTH = 30
KIND = re.compile(r"[<>|=]?[biufc](1|2|4|8|16)")


class Broken(Exception):
    """The other side sent what is no message, or nothing any more; or it is too late for one."""


class Function(NamedTuple):
    """A function of the other side, by its number."""

    number: int


class Opaque(NamedTuple):
    """Something that cannot be sent: the name of its type."""

    type: str


def encode(value, number_of=None):
    """Bytes of a value; ``number_of(function)`` gives functions their numbers."""
    blobs = []
    header = json.dumps(_down(value, blobs, number_of, 0)).encode()
    return struct.pack(">I", len(header)) + header + b"".join(blobs)


def decode(data):
    """The value of such bytes; Broken for any others."""
    try:
        (size,) = struct.unpack_from(">I", data)
        return _up(json.loads(data[4 : 4 + size]), memoryview(data)[4 + size :], 0)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, struct.error, OverflowError) as error:
        raise Broken(f"an answer cannot be read: {error}") from None


def _down(value, blobs, number_of, depth):
    if depth > DEPTH:
        return ["o", "a value nested too deep"]
    if isinstance(value, (np.ndarray, np.generic)) and KIND.fullmatch(value.dtype.str):
        start = sum(map(len, blobs))
        blobs.append(np.ascontiguousarray(value).tobytes())
        return ["a", value.dtype.str, list(value.shape), start]
    if value is None or type(value) in (bool, int, float, str):
        return ["v", value]
    if isinstance(value, (list, tuple)):
        return ["t" if isinstance(value, tuple) else "l", [_down(v, blobs, number_of, depth + 1) for v in value]]
    if isinstance(value, dict):
        return ["d", [[_down(part, blobs, number_of, depth + 1) for part in pair] for pair in value.items()]]
    if value is ...:
        return ["e"]
    if callable(value) and number_of is not None:
        return ["f", number_of(value)]
    return ["o", type(value).__name__[:60]]


def _up(part, blob, depth):
    kind, *rest = part
    if depth > DEPTH:
        raise ValueError("nested too deep")
    if kind == "a":
        dtype, shape, start = rest
        if not KIND.fullmatch(dtype) or min(map(int, shape), default=0) < 0:
            raise ValueError("no such array")
        dtype, count = np.dtype(dtype), int(np.prod([int(n) for n in shape], dtype=object))
        return np.frombuffer(blob, dtype, count, int(start)).reshape(shape).copy()[()]
    if kind in "tl":
        return (tuple if kind == "t" else list)(_up(p, blob, depth + 1) for p in rest[0])
    if kind == "d":
        return {_up(key, blob, depth + 1): _up(value, blob, depth + 1) for key, value in rest[0]}
    if kind == "e":
        return ...
    if kind == "f":
        return Function(int(rest[0]))
    if kind == "o":
        return Opaque(str(rest[0])[:60])
    if kind == "v" and (rest[0] is None or type(rest[0]) in (bool, int, float, str)):
        return rest[0]
    raise ValueError("no such kind of value")


class Channel:
    """Messages over two pipes: ``send`` and ``receive``, both until a moment of ``time.monotonic()``."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        os.set_blocking(writer, False)

    def send(self, value, until=float("inf"), number_of=None):
        """Broken where the other side is gone, or takes nothing for too long."""
        data = encode(value, number_of)
        rest = memoryview(struct.pack(">Q", len(data)) + data)
        while rest:
            self._ready([], [self.writer], until)
            try:
                rest = rest[os.write(self.writer, rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Broken("its process has ended") from None

    def receive(self, until=float("inf")):
        """The next value; Broken where there is none in time, or what comes is none."""
        (size,) = struct.unpack(">Q", self._read(8, until))
        if size > MOST:
            raise Broken(f"an answer is larger than {MOST // 2**20} MiB")
        return decode(self._read(size, until))

    def _read(self, size, until):
        parts, missing = [], size
        while missing:
            self._ready([self.reader], [], until)
            part = os.read(self.reader, min(missing, 2**20))
            if not part:
                raise Broken("its process has ended")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _ready(self, reading, writing, until):
        wait = None if until == float("inf") else max(0.0, until - time.monotonic())
        if not any(select.select(reading, writing, [], wait)):
            raise Broken("its time is up")

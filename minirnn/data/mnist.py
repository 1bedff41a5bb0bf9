"""MNIST: 70,000 handwritten digits, read from the four original idx files."""

import struct

import numpy as np

from minirnn.data.download import Mirror
from minirnn.data.images import Images, draw_digits
from minirnn.data.registry import DataSet, RemoteFile
from minirnn.errors import InputError, must_be

CONTENT = {  # name: (sha256 and bytes of the unpacked file)
    "train-images-idx3-ubyte": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016),
    "train-labels-idx1-ubyte": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    "t10k-images-idx3-ubyte": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    "t10k-labels-idx1-ubyte": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
}
SITES = ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/")


def build(contents, origin):
    """Images (60000, 28, 28) and (10000, 28, 28) of 0..255 with their labels (the twin has fewer)."""
    arrays = [read_idx(contents[f"mnist/{name}"], name) for name in CONTENT]
    return Images("mnist", origin, 255, *arrays)


def read_idx(data, name):
    """The array of an idx file of bytes: big-endian 0x0000 08 rank, one uint32 a dimension, the values."""
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise InputError(
            must_be("mnist", name, "an idx file of unsigned bytes", f"one that begins {data[:4].hex() or 'nowhere'}")
        )
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    begin = 4 + 4 * len(shape)
    if len(data) - begin != np.prod(shape, dtype=int):
        raise InputError(
            must_be(
                "mnist", name, f"{shape} = {np.prod(shape, dtype=int)} values", len(data) - begin, "it is cut short"
            )
        )
    return np.frombuffer(data, np.uint8, offset=begin).reshape(shape)


def write_idx(array):
    """The idx file of an array of uint8."""
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


def twin():
    """6,000 training and 1,000 test digits drawn from a font."""
    arrays = [array for part, count in enumerate((6_000, 1_000)) for array in draw_digits(count, 28, 255, 5, part)]
    return {f"mnist/{name}": write_idx(array) for name, array in zip(CONTENT, arrays)}


SET = DataSet(
    name="mnist",
    summary="MNIST: 60,000 + 10,000 handwritten digits, 28 x 28",
    licence="no formal licence from the authors; commonly cited as CC BY-SA 3.0",
    files=tuple(
        RemoteFile(f"mnist/{name}", sha256, size, tuple(Mirror(f"{site}{name}.gz") for site in SITES))
        for name, (sha256, size) in CONTENT.items()
    ),
    build=build,
    twin=twin,
)

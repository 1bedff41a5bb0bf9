"""Text from the bytes of a file."""

from minirnn.errors import InputError, must_be


def decoded(data, path):
    """The text of UTF-8 bytes, without a byte order mark; InputError naming ``path``, line and byte for others."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (len(data) - len(error.object))  # the codec may have dropped a byte order mark
        line = data[:offset].count(b"\n") + 1
        got = f"byte 0x{data[offset]:02x} at offset {offset}"
        raise InputError(must_be(f"{path} line {line}", "bytes", "UTF-8", got, "save it as UTF-8 first")) from None

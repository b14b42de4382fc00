"""Files as people have them: found, opened within bounds, and decoded, saying what was done."""

import codecs
import hashlib
import os
import stat
from pathlib import Path

import numpy as np

MOST_BYTES = 2**27
"""The largest file that is read, 128 MiB."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """What a regular file holds; a ValueError for a device, a folder, or more than the most."""
    place = os.stat(path)
    if not stat.S_ISREG(place.st_mode):
        raise ValueError("it is no regular file")
    if place.st_size > most:
        raise ValueError(f"it has {place.st_size} bytes, and at most {most} are read")
    with path.open("rb") as stream:
        return stream.read(most)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def decoded(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Text of any common encoding without its byte order mark, and a note where it is not UTF-8.

    Raises:
        ValueError: for binary content.

    >>> decoded("\\ufeff1;0".encode()), decoded("1;0".encode("utf-16"))
    (('1;0', ()), ('1;0', ('it is UTF-16',)))
    """
    for mark, encoding, name in _MARKS:
        if content.startswith(mark):
            text = content.removeprefix(codecs.BOM_UTF8).decode(encoding)
            return text, () if encoding == "utf-8" else (f"it is {name}",)
    if b"\0" in content:
        raise ValueError("it is no text: it holds zero bytes")
    try:
        return content.decode("utf-8"), ()
    except UnicodeDecodeError:
        return content.decode("latin-1"), ("it is not UTF-8, and was read as Latin-1",)


def load_array(path: Path, most: int) -> np.ndarray:
    """The array of a .npy file of at most so many entries.

    Raises:
        ValueError: for another file, an array of objects or records, or a larger one; OSError.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is no regular file")
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise ValueError("it is no file of numpy.save")
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)  # not yet in memory
    except (ArithmeticError, LookupError, MemoryError, RecursionError, SyntaxError, TypeError) as e:
        raise ValueError(f"its header is damaged: {type(e).__name__}") from None
    except ValueError as error:
        if "Python objects" in str(error):
            raise ValueError("its entries are Python objects; give numbers") from None
        raise
    if array.size > most:
        raise ValueError(f"it holds {array.size} entries, and at most {most} are read")
    if array.dtype.fields is not None:
        raise ValueError(f"its entries are records {array.dtype}; give an array of numbers")
    return np.array(array)

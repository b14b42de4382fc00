"""Files that are either there and whole, or not there."""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landscape.errors import refused

_SUFFIX = ".partial"
_ABANDONED = 3600.0  # seconds; writing takes a few, so the writer of one this old is gone


@contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A name beside `path` that nobody else uses; what is still there at the end is removed."""
    name = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}")
    try:
        yield name
    except OSError as error:
        if error.filename in (name, str(name)):
            error.filename = str(path)  # the name that its reader knows
        raise
    finally:
        name.unlink(missing_ok=True)


def check_folder(option: str, path: Path) -> None:
    """Raise ConfigError unless the folder exists in which the option's file is to be written."""
    if not path.parent.is_dir():
        why = f"the folder {path.parent} does not exist"
        raise refused(f"{option} {path}", why=why, hint="make it first")


def is_temporary(path: Path) -> bool:
    """Whether this is a name that `temporary` made."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def flush(path: Path) -> None:
    """Return once the content of a file, or of a folder, has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(name: Path, path: Path) -> None:
    """Give a flushed temporary its final name, for good."""
    os.replace(name, path)
    flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a whole file under its final name, or nothing."""
    with temporary(path) as name:
        name.write_text(text, "utf-8")
        flush(name)
        publish(name, path)


def sweep(folder: Path) -> None:
    """Remove the temporaries of processes that were killed (more than an hour ago)."""
    for path in filter(is_temporary, folder.iterdir()):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
        except FileNotFoundError:  # its writer has just finished, or another sweep was first
            continue


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock; the system releases it even if this process is killed."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

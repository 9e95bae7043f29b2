"""Writing files: whole or not at all, and never over what is no plain file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class NoFile(OSError):
    """A place where no file can be left; the message says why."""


def require_writable(path: Path) -> None:
    """See that a file can be written there.

    Raises:
        NoFile: its folder is not there or takes none, or something else than a plain file has the name.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise NoFile(f"the folder {folder} does not exist")
    if path.is_symlink():
        raise NoFile("that is a link: name the file itself")
    if path.exists() and not path.is_file():
        raise NoFile("that is no file: name one to write")
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NoFile(f"no file can be written into that folder: {error.strerror}") from None


def write_whole(path: Path, text: str) -> None:
    """Write the file beside its place, under a name of its own, and put it there when it is whole.

    Raises:
        NoFile: see ``require_writable``.
        OSError: the disk is full, or the like; what was there before is there still.
    """
    require_writable(path)
    mask = os.umask(0)
    os.umask(mask)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.absolute().parent, delete=False) as partial:
        try:
            partial.write(text)
            partial.close()
            os.chmod(partial.name, 0o666 & ~mask)
            os.replace(partial.name, path)
        except BaseException:
            os.unlink(partial.name)
            raise

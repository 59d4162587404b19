"""No write leaves the results folder through a symbolic link, and only regular files are written to.

Results are copied between machines and people: a folder or file in them may be a link to anything. A results folder that is
a link itself is its owner's choice.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import HarnessError

KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}

APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND

_roots: set[Path] = set()


def protect(root: Path) -> None:
    """Let no later write of this process below a results folder leave it."""
    _roots.add(_absolute(root))


def require_inside(path: Path) -> None:
    """Raise a `HarnessError` if a path below a protected folder leads out of it, or if a link above it leads nowhere."""
    place = _absolute(path)
    for root in _roots:
        if root in place.parents and not place.parent.resolve().is_relative_to(root.resolve()):
            link = next((above for above in _from_top(place) if root in above.parents and above.is_symlink()), place)
            raise HarnessError(
                f"cannot write results: a symbolic link leads out of the results folder, to {link.readlink()}",
                where=str(link),
                fix="remove the link, or name the folder that it leads to with --results DIR",
            )
    require_targets(place.parent)


def require_targets(path: Path) -> None:
    """Raise a `HarnessError` if a path, or one above it, is a symbolic link to nothing."""
    for above in _from_top(_absolute(path)):
        try:
            above.stat()
        except FileNotFoundError:
            if not above.is_symlink():
                return  # nothing below it exists either
            raise HarnessError(
                f"cannot write results: the path is a symbolic link to {above.readlink()}, which does not exist",
                where=str(above),
                fix="create the folder that it leads to, remove the link, or write to another folder with --results DIR",
            ) from None
        except OSError:  # the write itself will say why
            return


def _absolute(path: Path) -> Path:
    """Return the path without `..`, and with all its links."""
    return Path(os.path.normpath(path.absolute()))


def _from_top(path: Path) -> list[Path]:
    return [*reversed(path.parents), path]


def require_regular(path: Path) -> None:
    """Raise a `HarnessError` if something that is no regular file has the name of a file to write."""
    try:
        mode = path.lstat().st_mode
    except OSError:  # there is none, or the write will say why
        return
    if not stat.S_ISREG(mode):
        raise HarnessError(
            f"cannot write results: the path is a {KINDS.get(stat.S_IFMT(mode), 'special file')}, a file is needed",
            where=str(path),
            fix="remove it, or write to another folder with --results DIR",
        )


def open_regular(path: Path, flags: int) -> int:
    """Return the descriptor of a regular file opened for writing, created by the umask if the flags say so.

    Raises:
        HarnessError: the path is no regular file, or leads out of the results folder.
        OSError: as `os.open`.
    """
    require_inside(path)
    require_regular(path)
    # O_NOFOLLOW and O_NONBLOCK: the path may become a link or a pipe just now
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        require_regular(path)
        raise OSError(f"{path} is no regular file")
    return descriptor


def by_umask() -> int:
    """Return the permissions that a new file gets."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask

"""A disk that can only be looked at: what examines a folder has no means to change it."""

from __future__ import annotations

from typing import Any, NoReturn

from core.errors import Unsupported
from queues.file.disk import Disk


def _refuse(*arguments: Any, **options: Any) -> NoReturn:
    """Refuse to change anything."""
    raise Unsupported("An examination changes nothing.")


class Looking(Disk):
    """Read, and lock for a glance; every call that would change something is refused."""

    write_new = _refuse
    write_at = _refuse
    create = _refuse
    append = _refuse
    rename = _refuse
    link = _refuse
    unlink = _refuse
    make_folder = _refuse
    remove_folder = _refuse
    sync_folder = _refuse
    sync_file = _refuse
    sync_data = _refuse
    sync_all = _refuse
    mark_claimed = _refuse
    date = _refuse
    reserve = _refuse

    def is_held(self, path: str) -> bool:
        """Return whether somebody holds the lock of a file or folder; of what is not there nobody does.

        The lock is taken for the moment between two system calls. Whoever wants it just then takes it for
        held and tries again, as with any other holder.
        """
        if not self.is_folder(path):
            return self._is_held_file(path)
        try:
            folder = self.open_folder(path)
        except FileNotFoundError:
            return False
        return not self.lock(folder.fd, shared=True)

    def _is_held_file(self, path: str) -> bool:
        try:
            fd = self.open(path)
        except (FileNotFoundError, Unsupported):
            return False
        try:
            return not self.lock(fd, shared=True)
        finally:
            self.close(fd)

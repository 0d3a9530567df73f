"""Folder listings that are read again only when the folder has changed."""

from __future__ import annotations

import stat

from queues.file.site import Site


class Watch:
    """Remember when folders last changed, to tell which must be listed again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._disk = site.disk
        self._seen: dict[str, int] = {}

    def news(self, folder: str) -> list[str] | None:
        """Return the names in the folder if they may have changed since the last call; None if not."""
        try:
            status = self._disk.status(folder)
        except FileNotFoundError:
            status = None
        if status is None or not stat.S_ISDIR(status.st_mode):
            self._seen.pop(folder, None)
            return []
        changed_ns = status.st_mtime_ns
        if self._seen.get(folder) == changed_ns:
            return None
        if self._site.is_past(changed_ns):
            self._seen[folder] = changed_ns
        return self._disk.names(folder)

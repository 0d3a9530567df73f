"""Mirrors: where results are read while the machine is off. A folder, or a bucket of Google's."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigError
from core.mirror import Mirror


def open_mirror(spec: str, *, google: str = "") -> Mirror:
    """Return the mirror of AAFAI_MIRROR. Raises ConfigError.

    `google` is where Google's services are asked instead of at their own addresses.
    """
    kind, _, rest = spec.partition(":")
    if kind == "folder" and rest.startswith("/"):
        from cloud.folder_mirror import FolderMirror  # noqa: PLC0415  There is one mirror or the other.

        return FolderMirror(Path(rest))
    if kind == "gs" and rest.strip("/"):
        from cloud.bucket_mirror import BucketMirror  # noqa: PLC0415
        from cloud.google_api import Google  # noqa: PLC0415

        bucket, _, prefix = rest.strip("/").partition("/")
        return BucketMirror(Google.at(google), bucket, prefix)
    raise ConfigError(
        f"AAFAI_MIRROR: {spec!r} is no mirror; write folder:/absolute/path or gs://bucket/prefix."
    )

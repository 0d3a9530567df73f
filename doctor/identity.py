"""Who examines: root, who goes on as the user of the bus, or somebody who must be that user himself."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

#: What a user must be able to read to go on with an examination.
_TRIAL = "import encodings.idna, core.loading"


def must_step_down(user: int) -> bool:
    """Return whether this is root and the bus's user another."""
    return os.geteuid() == 0 and user != 0


def may_mend(owner: int) -> bool:
    """Return whether what this user writes will be the bus's, or can be made so."""
    return os.geteuid() in {0, owner}


def can_run_as(user: int) -> bool:
    """Return whether that user may read this Python and this checkout: else no bus of his could run."""
    trial, group = [sys.executable, "-B", "-c", _TRIAL], _group(user)
    try:
        ran = subprocess.run(trial, user=user, group=group, extra_groups=[], capture_output=True, check=False)
    except OSError:
        return False
    return ran.returncode == 0


def become(user: int) -> None:
    """Be that user from now on, with his groups and his home. There is no way back."""
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        os.setgroups([])
    else:
        os.initgroups(entry.pw_name, entry.pw_gid)
        os.environ["HOME"] = entry.pw_dir
    os.setgid(_group(user))
    os.setuid(user)


def _group(user: int) -> int:
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return user

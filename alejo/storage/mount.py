"""Which file system a folder is on."""

from __future__ import annotations

import os
from pathlib import Path

_NETWORK = {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3"}


def network_filesystem(path: Path) -> str:
    """The kind of network file system `path` is on, or "" (also where the system does not say)."""
    try:
        device = os.stat(path).st_dev
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        # proc(5): the third field is the device; the first one after " - " is the kind.
        head, _, tail = line.partition(" - ")
        if head.split(" ", 3)[2] == wanted:
            kind = tail.split(" ", 1)[0]
            return kind if kind in _NETWORK else ""
    return ""

"""What every peer's process says of itself."""

import json
import os
import resource
import sys


def peak_rss_mb() -> float:
    """The largest resident size of this process so far. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def threads() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(value: dict) -> None:
    """An answer: one line of JSON, at once."""
    print(json.dumps(value), flush=True)

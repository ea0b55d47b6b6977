"""Measurements and output common to all peer processes."""

import json
import os
import resource
import sys


def peak_rss_mb() -> float:
    """Maximum resident size of this process so far. Linux reports KiB, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def threads() -> int:
    """Number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(value: dict) -> None:
    """Prints one line of JSON and flushes it."""
    print(json.dumps(value), flush=True)

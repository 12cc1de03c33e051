"""Processor cores."""

import os


def available_cores() -> int:
    """How many cores this process may run on, at least 1: those of its affinity mask where the system has one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

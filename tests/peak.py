"""What a process needed of memory at most, told by itself."""

PEAK = """
try:  # of this process alone: getrusage also counts what its parent had when it was forked
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
except OSError:
    import resource, sys
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1))
"""
"""Code to run at the end of a process: prints kilobytes."""

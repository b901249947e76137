"""Time and memory of sxdiff against the least that the same work can cost."""

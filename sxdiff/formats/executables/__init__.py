"""Formats of executables that are no ELF: of other systems, of firmware, of kernels."""

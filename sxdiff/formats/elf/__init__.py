"""ELF: the file, its tables, and what is in its sections."""

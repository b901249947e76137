"""File systems: superblock, what each file says of itself, and its content."""

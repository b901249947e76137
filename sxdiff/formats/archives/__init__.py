"""Files that hold files, with names."""

"""`python -m sxdiff` is the command `sxdiff`."""

from sxdiff.cli import main

if __name__ == "__main__":
    main()

"""sxdiff tells two builds of one container image apart."""

__version__ = "0.1.0"

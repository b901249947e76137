"""What all tests share."""

from hypothesis import settings

# a deadline measures the machine, and a test that fails must fail again
settings.register_profile("sxdiff", deadline=None, derandomize=True)
settings.load_profile("sxdiff")

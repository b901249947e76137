# Short names for ./dev, which works without make too.
.PHONY: try test lint check bench bench-full soak fixtures reports setup

try test lint reports setup:
	./dev $@

check:
	.ci/run

bench:
	./dev bench

# Also the 4 GB images: some 20 GB of disk and half an hour.
bench-full:
	./dev bench --full

# Layers of a million members, in every way that could hurt: some twenty minutes.
soak: setup
	.venv/bin/python -m bench.soak

# The sums that every build of the fixtures must give; and the pair that ./dev try compares.
fixtures:
	python3 -m fixtures sums

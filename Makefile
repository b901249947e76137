# Short names for ./dev, which works without make too.
.PHONY: try test lint check bench bench-full fixtures reports setup

try test lint reports setup:
	./dev $@

check:
	.ci/run

bench:
	./dev bench

# Also the 4 GB images: some 20 GB of disk and half an hour.
bench-full:
	./dev bench --full

# The sums that every build of the fixtures must give; and the pair that ./dev try compares.
fixtures:
	python3 -m fixtures sums

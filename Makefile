# Short names for ./dev, which works without make too.
FUZZ_SECONDS ?= 600
.PHONY: audit try test lint check bench bench-full soak faults thorough fuzz causes-bench fixtures reports setup

try test lint reports setup:
	./dev $@

check:
	.ci/run

bench:
	./dev bench

# Also the 4 GB images: some 20 GB of disk and half an hour.
bench-full:
	./dev bench --full

# Layers of a million members, in every way that could hurt, 100 damaged copies of a real image, and
# 100,000 mutated images of every form: some two hours.
soak: setup
	.venv/bin/python -m bench.soak
	.venv/bin/python -m bench.damaged
	.venv/bin/python -m bench.mutations --cases 100000

# Every single call that writes or reads fails in turn, and more signals: some hours.
faults: setup
	SXDIFF_FAULTS=all .venv/bin/python -m pytest -q tests/hostile/test_faults.py

# All of what CI runs a sample of, such as a flip of each byte of each artefact; some hours.
thorough: setup
	SXDIFF_TESTS=all SXDIFF_CAUSE_FLIPS=60 ./dev test

# Every reader of bytes, FUZZ_SECONDS each, with Atheris; what breaks a law is in .fuzz/broken.
fuzz: setup
	.venv/bin/python -m pip install -q --disable-pip-version-check -e '.[fuzz]'
	.venv/bin/python -m bench.fuzz --seconds $(FUZZ_SECONDS)

# Every labelled pair, mixture, control and adversary, with the bars; writes docs/causes-bench.md.
causes-bench: setup
	.venv/bin/python -m bench.causes --table docs/causes-bench.md

# The sums that every build of the fixtures must give; and the pair that ./dev try compares.
fixtures:
	python3 -m fixtures sums

# Known flaws of the packages in requirements.lock; asks services in the network.
audit: setup
	python3 -m venv .venv/audit
	.venv/audit/bin/python -m pip install -q --disable-pip-version-check pip-audit
	.venv/audit/bin/pip-audit --require-hashes --disable-pip -r requirements.lock

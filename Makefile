# All that CI does, a person can do: `make all`. `make test` is the tests alone.

SEEDS ?= 200000
RACE_SECONDS ?= 60
BARE = thumbv7em-none-eabihf wasm32-unknown-unknown

.PHONY: all check test conformance cpython sim race nostd

all: check test nostd sim race cpython

# Format, lints, documentation: no warning passes.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# Every test. The last line counts them.
test:
	@.ci/count cargo test --workspace --no-fail-fast

# The conformance list alone, with its numbers. CASE=part runs the cases with that in their name.
conformance:
	cargo test --package sanserve-conformance --tests -- --nocapture conforms

# CPython's own tests of http.server against the program. TEST=part runs those with that in their name.
cpython:
	cargo build --package sanserve
	python3 conformance/cpython/run.py --cgi $(TEST)

# Simulated worlds, SEEDS of them. SEED=number prints the transcript of one; SAVE=path writes it there.
sim:
	SEEDS=$(SEEDS) SEED=$(SEED) SAVE=$(SAVE) \
		cargo run --quiet --release --package sanserve-conformance --bin sanserve-sim

# Links that change places while they are asked for, for RACE_SECONDS.
race:
	RACE_SECONDS=$(RACE_SECONDS) cargo test --package sanserve --test race -- --nocapture

# The core, and the adapters that need no operating system, without std.
nostd:
	for target in $(BARE); do \
		rustup target add $$target && cargo build --package sanserve-core --target $$target && \
		cargo build --package sanserve --lib --no-default-features --features embedded-io-async \
			--target $$target || exit 1; \
	done

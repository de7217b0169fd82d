# All that CI does, a person can do: `make all`. `make test` is the tests alone.

SEEDS ?= 200000
RACE_SECONDS ?= 60
FUZZ_SECONDS ?= 10
PORT ?= 8000
CHECKS ?= licenses bans sources
WASI = wasm32-wasip2
# Where the firmware is built: other flags, another machine.
FIRMWARE = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/firmware
# Apart from the workspace, so that it is built in seconds.
BENCH = CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench \
	cargo run --quiet --release --locked --manifest-path conformance/benches/Cargo.toml --
# Systems that are not run here. Their C compilers are not needed, since nothing is linked.
OTHERS = x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd x86_64-pc-windows-gnu
BARE = thumbv7m-none-eabi thumbv7em-none-eabihf wasm32-unknown-unknown

.PHONY: all browser check test package conformance conformance-browser conformance-firmware conformance-wasi sizes cpython sim race fuzz mutants coverage nostd cross deny h11 bench bench-check bench-renew

all: check deny package test nostd cross sizes bench-check sim race fuzz h11 cpython

# Format, lints, documentation: no warning passes.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	rustup target add $(WASI)
	cargo clippy --package sanserve --package sanserve-server --features sanserve-server/wasi-http --target $(WASI) --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --package sanserve-server --features wasi-http --target $(WASI) --no-deps --quiet
	for package in conformance/wasi examples/component; do (cd $$package && cargo fmt --check \
		&& cargo clippy --target $(WASI) --quiet -- -D warnings) || exit 1; done
	rustup target add wasm32-unknown-unknown
	cd conformance/benches && cargo fmt --check && \
		CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench cargo clippy --locked --release --quiet -- -D warnings
	cd examples/browser && cargo fmt --package sanserve-browser --package sanserve-worker --check && \
		cargo clippy --locked --quiet -- -D warnings && \
		cargo clippy --locked --package sanserve-worker --target wasm32-unknown-unknown \
			--features conformance --quiet -- -D warnings
	cd examples/firmware && rustup target add thumbv7m-none-eabi && cargo fmt --check && \
		CARGO_TARGET_DIR=$(FIRMWARE) cargo clippy --release --quiet --features conformance -- -D warnings

# Every test. The last line counts them.
test:
	@.ci/count cargo test --workspace --features sanserve/tokio --no-fail-fast

# The conformance list alone, with its numbers. CASE=part runs the cases with that in their name.
conformance:
	cargo test --package sanserve-conformance --tests -- --nocapture conforms

# The list on components for WASI, and what else they have to do. They are run by wasmtime, which has to be installed.
conformance-wasi:
	rustup target add $(WASI)
	cargo test --package sanserve-conformance --test wasi_sockets --test wasi_program --test wasi_http -- --nocapture

# How large what has to be small is: an artefact a line, with its budget. Fails above that.
sizes:
	rustup target add $(WASI) thumbv7m-none-eabi
	.ci/sizes

# The same on the firmware, in a machine of QEMU: over a serial line and over Ethernet.
conformance-firmware:
	rustup target add thumbv7m-none-eabi
	cargo test --package sanserve-conformance --test firmware -- --nocapture

# The archives of the packages that are published: each has its README, both licences and its sources, and nothing else.
# Nothing is built; VERIFY=1 also builds each from its archive.
package:
	.ci/package $(if $(VERIFY),,--no-verify)

# The list in a Service Worker, and what a user does with its page. Chromium has to be installed.
conformance-browser:
	rustup target add wasm32-unknown-unknown
	cargo test --package sanserve-conformance --test browser -- --nocapture

# A page whose Service Worker is a file server: builds it, and serves it at PORT.
browser:
	rustup target add wasm32-unknown-unknown
	cargo run --quiet --locked --manifest-path examples/browser/Cargo.toml target/browser
	cargo run --quiet -- --bind 127.0.0.1 --directory target/browser $(PORT)

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
	RACE_SECONDS=$(RACE_SECONDS) cargo test --package sanserve-server --test race -- --nocapture

# Each target of the fuzzer for FUZZ_SECONDS: its executions and coverage, or what it found. No
# sanitizer, since nothing here is unsafe; so a stable compiler will do, with one for C++.
fuzz:
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	CORPUS=$(CURDIR)/conformance/fuzz/corpus cargo test --package sanserve-conformance --test fuzz --quiet
	cd conformance/fuzz && for target in $$(cargo fuzz list --fuzz-dir .); do \
		cargo fuzz run --fuzz-dir . --sanitizer none $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 >corpus/$$target.log 2>&1 \
		&& echo "$$target $$(grep DONE corpus/$$target.log)" \
		|| { cat corpus/$$target.log; exit 1; }; \
	done

# Random messages, read by sanserve-wire and by h11, Python's parser without I/O. pip installs h11 below target/.
h11:
	cargo build --quiet --package sanserve-conformance --example wire_json
	python3 conformance/h11/run.py

# Puts faults into the core, one at a time; each must be found. MUTANT='reply.rs range.rs' tries those
# that have one of these in their file or description.
mutants:
	cargo run --quiet --package sanserve-conformance --example mutants -- $(MUTANT)

# Which lines of the core no test runs, in percent and by number.
coverage:
	command -v cargo-llvm-cov >/dev/null || cargo install --locked cargo-llvm-cov
	rustup component add llvm-tools
	cargo llvm-cov clean --workspace
	cargo llvm-cov --no-report --package sanserve-core --package sanserve-wire --tests
	cargo llvm-cov --no-report --package sanserve-conformance --test memory --test fuzz
	cargo llvm-cov report --ignore-filename-regex '(adapters|conformance|examples)/' \
		--show-missing-lines --fail-under-lines 97

# The core, and the adapters that need no operating system, without std.
nostd:
	for target in $(BARE); do \
		rustup target add $$target && cargo build --package sanserve-wire --package sanserve-core --target $$target && \
		cargo build --package sanserve-server --no-default-features --features embedded-io-async,host \
			--target $$target || exit 1; \
	done

# Whether the program and the library compile for other systems. No warning passes.
cross:
	rustup target add $(OTHERS) $(WASI)
	TARGET_CC=$(CURDIR)/.ci/no-cc TARGET_AR=$(CURDIR)/.ci/no-cc cargo clippy --locked --quiet \
		--package sanserve --package sanserve-server --features sanserve/tokio,sanserve-server/tower $(OTHERS:%=--target %) -- -D warnings
	cargo clippy --locked --quiet --package sanserve --target $(WASI) -- -D warnings

# Licences, sources and duplicates of all packages that anything here is built with, by deny.toml. CHECKS=advisories
# looks for known faults in them; that needs GitHub.
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	for manifest in $$(git ls-files '*Cargo.lock' | sed 's/lock$$/toml/'); do \
		echo "$$manifest" && cargo-deny --locked --manifest-path $$manifest check --hide-inclusion-graph \
			--allow unmatched-skip --allow unmatched-skip-root --allow unnecessary-skip $(CHECKS) || exit 1; \
	done

# What the engine costs, in instructions and nanoseconds (valgrind has to be installed).
bench:
	$(BENCH) json $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench.json

# Fails if something costs more instructions than conformance/benches/counts.txt has, by more than 3 % and 24 instructions.
bench-check:
	$(BENCH) check

# Writes that file anew.
bench-renew:
	$(BENCH) renew

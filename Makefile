# `make all` runs everything that CI runs; `make test` runs only the tests.

SEEDS ?= 200000
SERVICE_SEEDS ?= 50000
LOOP_SEEDS ?= 20000
TOKIO_SEEDS ?= 20000
RACE_SECONDS ?= 60
FUZZ_SECONDS ?= 10
PORT ?= 8000
CHECKS ?= licenses bans sources
# The revision whose public API `make semver` holds the libraries to. CONTRIBUTING.md says when it moves.
API_BASELINE ?= 31ec114a47dcb9a9f2d6094f0c01de2aef030e0c
SEMVER_CHECKS = 0.51.0
WASI = wasm32-wasip2
# The firmware is built in a folder of its own, for its different flags and targets.
FIRMWARE = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/firmware
FIRMWARE_TARGETS = thumbv7m-none-eabi riscv64gc-unknown-none-elf
# The benchmarks are a workspace of their own, so that they build in seconds.
BENCH = CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench \
	cargo run --quiet --release --locked --manifest-path conformance/benches/Cargo.toml --
# So is the program that lists the public API. It also builds the documentation there.
PUBLIC_API = CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/api \
	cargo run --quiet --locked --manifest-path .ci/public-api/Cargo.toml --
# Systems for which the code is only checked. Nothing is linked, so no C compiler for them is needed.
OTHERS = x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd x86_64-unknown-netbsd x86_64-unknown-illumos \
	aarch64-linux-android x86_64-pc-windows-gnu x86_64-pc-windows-msvc powerpc-unknown-linux-gnu
BARE = thumbv7m-none-eabi thumbv7em-none-eabihf wasm32-unknown-unknown
# Processors without atomic instructions, or without those that exchange a value.
NO_ATOMICS = thumbv6m-none-eabi riscv32imc-unknown-none-elf
SINGLE_CORE = --config "target.$$target.rustflags=['--cfg', 'portable_atomic_unsafe_assume_single_core']"

.PHONY: all api api-renew browser check test package dist dist-check install-check outside conformance conformance-browser conformance-firmware conformance-wasi conformance-cpu conformance-cpus conformance-other-unix conformance-windows sizes cpython sim sim-loop sim-tokio race semver fuzz fuzz-corpus mutants coverage coverage-sim nostd cross deny h11 python wheel bench bench-check bench-renew

all: check deny package api semver test nostd cross conformance-cpu sizes bench-check sim race fuzz h11 cpython python

# Wording, format, lints and documentation, without warnings.
check:
	.ci/wording
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	for features in "" passwords tls; do cargo clippy --package sanserve --no-default-features --features "$$features" \
		--quiet -- -D warnings || exit 1; done
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	rustup target add $(WASI)
	cargo clippy --package sanserve --package sanserve-server --features sanserve-server/wasi-http --target $(WASI) --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --package sanserve-server --features wasi-http --target $(WASI) --no-deps --quiet
	for package in conformance/wasi examples/component; do (cd $$package && cargo fmt --check \
		&& cargo clippy --target $(WASI) --quiet -- -D warnings) || exit 1; done
	rustup target add wasm32-unknown-unknown
	cd conformance/benches && cargo fmt --check && \
		CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench cargo clippy --locked --release --quiet -- -D warnings
	cd .ci/public-api && cargo fmt --check && \
		CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/api cargo clippy --locked --quiet -- -D warnings
	cd adapters/python && cargo fmt --check && \
		CARGO_TARGET_DIR=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/python cargo clippy --locked --quiet -- -D warnings
	cd examples/browser && cargo fmt --package sanserve-browser --package sanserve-worker --check && \
		cargo clippy --locked --quiet -- -D warnings && \
		cargo clippy --locked --package sanserve-worker --target wasm32-unknown-unknown \
			--features conformance --quiet -- -D warnings
	rustup target add $(FIRMWARE_TARGETS)
	cd examples/firmware && cargo fmt --check && for target in $(FIRMWARE_TARGETS); do \
		CARGO_TARGET_DIR=$(FIRMWARE) cargo clippy --locked --release --quiet --features conformance --target $$target \
			-- -D warnings || exit 1; done

# Every test; the last line counts them.
test:
	@.ci/count cargo test --workspace --features sanserve/tokio --no-fail-fast

# The conformance cases, with their counts. CASE=text runs the cases with that text in their name.
conformance:
	cargo test --package sanserve-conformance --tests -- --nocapture conforms

# The archives of the packages in a package outside of the workspace: the code of docs/porting.md runs the cases there.
outside:
	cargo test --package sanserve-conformance --test outside -- --nocapture

# The conformance cases and other tests on WASI components, in wasmtime, which must be installed.
conformance-wasi:
	rustup target add $(WASI)
	cargo test --package sanserve-conformance --test wasi_sockets --test wasi_program --test wasi_http -- --nocapture

# The conformance cases on other processors, which QEMU emulates: a big-endian one, one of 32 bits, and ARM. They need
# the packages qemu-user, and gcc-CPU-linux-gnu and libc6-dev-...-cross for each. CPUS and CPU_TESTS select some.
CPUS ?= s390x i686 aarch64
CPU_TESTS ?= memory blocking event_loop
conformance-cpus:
	for cpu in $(CPUS); do \
		target=$$cpu-unknown-linux-gnu emulator=qemu-$$(echo $$cpu | sed s/i686/i386/); \
		rustup target add $$target && CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo test --target $$target \
			--config "target.$$target.linker='$$cpu-linux-gnu-gcc'" \
			--config "target.$$target.runner=['$$emulator', '-L', '/usr/$$cpu-linux-gnu']" \
			--package sanserve-conformance $(CPU_TESTS:%=--test %) -- --nocapture conforms || exit 1; \
	done

# What CI runs of these.
conformance-cpu:
	$(MAKE) conformance-cpus CPUS=s390x CPU_TESTS=memory

# The conformance cases with the code for Unix systems other than Linux.
conformance-other-unix:
	.ci/other-unix

# The conformance cases on servers for Windows, in wine. They need the packages wine64 and gcc-mingw-w64-x86-64.
conformance-windows:
	rustup target add x86_64-pc-windows-gnu
	.ci/windows

# The sizes of small artefacts, one per line, with their budgets. Fails if one exceeds its budget.
sizes:
	rustup target add $(WASI) thumbv7m-none-eabi
	.ci/sizes

# The conformance cases on the firmware in QEMU: on a Cortex-M3, over a serial line and over Ethernet, and on RISC-V, over
# virtio.
conformance-firmware:
	rustup target add $(FIRMWARE_TARGETS)
	cargo test --package sanserve-conformance --test firmware -- --nocapture

# The archives of the published packages. Each must contain its README, both licences and its sources, and nothing else.
# VERIFY=1 also builds each from its archive.
package:
	.ci/package $(if $(VERIFY),,--no-verify)

# The artefacts of a release in DIST, target/dist by default, with checksums: archives of static programs, the Debian
# package, the npm package, the image for containers, and the list of the crates in them. Takes ten minutes.
# PARTS='deb npm' makes only these.
dist:
	.ci/dist $(PARTS)

# Makes them twice, from copies of the last commit in different folders, and fails if they differ. Takes half an hour.
dist-check:
	.ci/dist-check $(PARTS)

# Installs the artefacts in DIST on this machine, as docs/installing.md describes, tries and removes them. WAYS='tar deb'
# tries only these. CI tries deb, npm, cargo and publish with quick builds.
install-check:
	.ci/install-check $(WAYS)

# Fails if the public API of a library differs from the list in its public-api.txt, and prints what differs.
api:
	$(PUBLIC_API) check

# Writes these lists.
api-renew:
	$(PUBLIC_API) renew

# Fails if the public API breaks code that was written for API_BASELINE.
semver:
	command -v cargo-semver-checks >/dev/null || cargo install --locked cargo-semver-checks --version $(SEMVER_CHECKS)
	cargo semver-checks --baseline-rev "$$(git rev-parse $(API_BASELINE))" --release-type minor --all-features \
		--package sanserve-wire --package sanserve-core --package sanserve-server --package sanserve-conformance

# The conformance cases in a Service Worker, and tests of its page. Chromium must be installed.
conformance-browser:
	rustup target add wasm32-unknown-unknown
	cargo test --package sanserve-conformance --test browser -- --nocapture

# Builds the page whose Service Worker is a file server, and serves it on PORT.
browser:
	rustup target add wasm32-unknown-unknown
	cargo run --quiet --locked --manifest-path examples/browser/Cargo.toml target/browser
	cargo run --quiet -- --bind 127.0.0.1 --directory target/browser $(PORT)

# CPython's own tests of http.server against the command. TEST=text runs those with that text in their name.
cpython:
	cargo build --package sanserve
	python3 conformance/cpython/run.py --cgi $(TEST)

# The Python package: builds the wheel with the command, installs it into a fresh virtual environment, and runs its tests
# and CPython's own tests of http.server there, with the module in place of http.server. TEST=text runs those of CPython's
# tests with that text in their name.
python:
	.ci/python $(TEST)

# Builds the wheel of the Python package, to be published.
wheel:
	PROFILE=release .ci/wheel

# Runs SEEDS simulated worlds, then as many from the seed of the day on; then SERVICE_SEEDS worlds of the services, and
# as many of the day. SEED=number prints the transcript of one; SAVE=path writes it to a file, and REPLAY=path replays
# it; with WORLD=services, of the services. HTML=path writes a page about a world that fails.
# LOOP_SEEDS worlds of the event loop with all its connections follow, and as many of the day; then TOKIO_SEEDS worlds of
# the server on tokio, and as many of the day.
SIM = cargo run --quiet --release --package sanserve-conformance --bin sanserve-sim
SIM_LOOP = cargo test --quiet --release --package sanserve-server --lib event_loop::simulation -- --nocapture
SIM_TOKIO = cargo test --quiet --release --package sanserve-server --lib tokio_rt::simulation -- --nocapture
DAY := $(shell date -u +%Y%m%d)
sim:
	SEEDS=$(SEEDS) SEED=$(SEED) SAVE=$(SAVE) REPLAY=$(REPLAY) HTML=$(HTML) $(SIM) $(WORLD)
	$(if $(SEED)$(REPLAY),,FIRST_SEED=$(DAY)000000 SEEDS=$(SEEDS) HTML=$(HTML) $(SIM))
	$(if $(SEED)$(REPLAY),,SEEDS=$(SERVICE_SEEDS) HTML=$(HTML) $(SIM) services)
	$(if $(SEED)$(REPLAY),,FIRST_SEED=$(DAY)000000 SEEDS=$(SERVICE_SEEDS) HTML=$(HTML) $(SIM) services)
	$(if $(SEED)$(REPLAY),,SEEDS=$(LOOP_SEEDS) $(SIM_LOOP))
	$(if $(SEED)$(REPLAY),,FIRST_SEED=$(DAY)000000 SEEDS=$(LOOP_SEEDS) $(SIM_LOOP))
	$(if $(SEED)$(REPLAY),,SEEDS=$(TOKIO_SEEDS) $(SIM_TOKIO))
	$(if $(SEED)$(REPLAY),,FIRST_SEED=$(DAY)000000 SEEDS=$(TOKIO_SEEDS) $(SIM_TOKIO))

# Prints the transcript of the world SEED of the event loop.
sim-loop:
	SEED=$(SEED) $(SIM_LOOP)

# Prints the transcript of the world SEED of the server on tokio.
sim-tokio:
	SEED=$(SEED) $(SIM_TOKIO) every_client

# Exchanges links and folders during requests, for RACE_SECONDS.
race:
	RACE_SECONDS=$(RACE_SECONDS) cargo test --package sanserve-server --test symlink_race -- --nocapture

# Fuzzes each target for FUZZ_SECONDS and prints its executions and coverage, or what it found. The code has no unsafe,
# so there is no sanitizer, and a stable compiler is enough, with a C++ compiler. It starts from the seeds of a test and
# from corpus.tar.xz, the inputs that reached something new in earlier runs.
fuzz:
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	CORPUS=$(CURDIR)/conformance/fuzz/corpus cargo test --package sanserve-conformance --test fuzz --quiet
	tar --extract --xz --file conformance/fuzz/corpus.tar.xz --directory conformance/fuzz/corpus
	cd conformance/fuzz && for target in $$(cargo fuzz list --fuzz-dir .); do \
		cargo fuzz run --fuzz-dir . --sanitizer none $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 >corpus/$$target.log 2>&1 \
		&& echo "$$target $$(grep DONE corpus/$$target.log)" \
		|| { cat corpus/$$target.log; exit 1; }; \
	done

# Adds the inputs of this machine's runs to corpus.tar.xz: the smallest set that reaches as much, each of 2 KiB or less.
fuzz-corpus: fuzz
	rm -rf target/corpus
	cd conformance/fuzz && for target in $$(cargo fuzz list --fuzz-dir .); do \
		mkdir -p $(CURDIR)/target/corpus/$$target && \
		cargo fuzz run --fuzz-dir . --sanitizer none $$target $(CURDIR)/target/corpus/$$target corpus/$$target -- \
			-merge=1 -max_len=2048 2>/dev/null || exit 1; \
	done
	cd target/corpus && tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner * | xz -9 \
		>$(CURDIR)/conformance/fuzz/corpus.tar.xz

# Compares sanserve-wire with h11, Python's sans-I/O parser, on random messages. pip installs h11 below target/.
h11:
	cargo build --quiet --package sanserve-conformance --example wire_json
	python3 conformance/h11/run.py

# Introduces faults into the core, one at a time; a test must detect each. MUTANT='file_reply.rs range.rs' tries those with
# one of these texts in their file name or description.
mutants:
	cargo run --quiet --package sanserve-conformance --example mutants -- $(MUTANT)

# The lines of the core that no test runs, as a percentage and by number.
coverage:
	command -v cargo-llvm-cov >/dev/null || cargo install --locked cargo-llvm-cov
	rustup component add llvm-tools
	cargo llvm-cov clean --workspace
	cargo llvm-cov --no-report --package sanserve-core --package sanserve-wire --tests
	cargo llvm-cov --no-report --package sanserve-conformance --test memory --test fuzz
	cargo llvm-cov report --ignore-filename-regex '(adapters|conformance|examples)/' \
		--show-missing-lines --fail-under-lines 97

# Prints the lines and branches of the core that the simulator never reaches on its own, and how many it reaches. Needs
# the nightly toolchain. Not part of `make all`, as it builds everything once more, which takes a few minutes.
coverage-sim:
	.ci/coverage-sim

# Builds the core, and the adapters that need no operating system, without std.
nostd:
	for target in $(BARE); do \
		rustup target add $$target && cargo build --package sanserve-wire --package sanserve-core --target $$target && \
		cargo build --package sanserve-server --no-default-features --features embedded-io-async,host \
			--target $$target && \
		cargo rustc --quiet --package sanserve-c --no-default-features --target $$target --crate-type staticlib || exit 1; \
	done
	for target in $(NO_ATOMICS); do \
		rustup target add $$target && cargo build $(SINGLE_CORE) --target $$target \
			--package sanserve-wire --package sanserve-core && \
		cargo build $(SINGLE_CORE) --target $$target --package sanserve-server --no-default-features \
			--features embedded-io-async,host || exit 1; \
	done

# Checks that the command and the library compile for other systems, without warnings.
cross:
	rustup target add $(OTHERS) $(WASI)
	TARGET_CC=$(CURDIR)/.ci/no-cc TARGET_AR=$(CURDIR)/.ci/no-cc cargo clippy --locked --quiet \
		--package sanserve --package sanserve-server --features sanserve/tokio,sanserve-server/tower $(OTHERS:%=--target %) -- -D warnings
	cargo clippy --locked --quiet --package sanserve --target $(WASI) -- -D warnings

# Checks licences, sources and duplicates of all dependencies, as deny.toml says. CHECKS=advisories looks for known
# vulnerabilities, which needs GitHub.
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	for manifest in $$(git ls-files '*Cargo.lock' | sed 's/lock$$/toml/'); do \
		echo "$$manifest" && cargo-deny --locked --manifest-path $$manifest check --hide-inclusion-graph \
			--allow unmatched-skip --allow unmatched-skip-root --allow unnecessary-skip $(CHECKS) || exit 1; \
	done

# The cost of the engine in instructions and nanoseconds. valgrind must be installed.
bench:
	$(BENCH) json $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/bench.json

# Fails if a count is above that of conformance/benches/counts.txt by more than 3 % and 24 instructions.
bench-check:
	$(BENCH) check

# Writes conformance/benches/counts.txt again.
bench-renew:
	$(BENCH) renew

# Two commands do everything on a machine with Rust: `make demo` and `make test`. `make` alone lists them all.
# Each may be repeated; after the first time none needs the network.

# cargo-deny may be in .cache/bin; a shell opened before Rust was installed does not have ~/.cargo/bin.
export PATH := $(CURDIR)/.cache/bin:$(PATH):$(HOME)/.cargo/bin
# ONNX Runtime would tell its maker of every test and bench that opens a model.
export ORT_DISABLE_TELEMETRY := 1
.DEFAULT_GOAL := help
.PHONY: help setup setup-test build demo deb sbom check test test-openvino chaos soak bench clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## fetch what building and the demo need: packages, crates, ONNX Runtime, a clip
	@scripts/setup-packages.sh demo
	@scripts/setup-rust.sh
	@scripts/setup-onnxruntime.sh
	@scripts/setup-clip.sh

setup-test: setup  ## fetch what checking and testing need besides: brokers, cargo-deny
	@scripts/setup-packages.sh test
	@scripts/setup-cargo-deny.sh

build: setup  ## build target/release/edge-agent
	cargo build --release --locked --bin edge-agent

demo: build  ## build, then run the whole thing with no hardware; ARGS="…" goes to `edge-agent demo`
	cargo run --release --locked --bin edge-agent -- demo $(ARGS)

# Without the demo, so of other features than everything else here: copied away, because the next build takes its place.
deb: setup  ## build the Debian package, at target/package/
	@scripts/setup-packages.sh deb
	cargo build --release --locked -p edge-agent --bin edge-agent --no-default-features
	@install -D $${CARGO_TARGET_DIR:-target}/release/edge-agent $${CARGO_TARGET_DIR:-target}/package/edge-agent
	@scripts/deb.sh

# Of the package just built: crates, ONNX Runtime, models, Debian packages; the step checks what it writes.
sbom: deb  ## list what the package is made of (CycloneDX), at target/package/edge-agent.cdx.json
	@scripts/sbom.py $${CARGO_TARGET_DIR:-target}/package/edge-agent.cdx.json

# Cheapest first. Clippy runs in the release profile so that what build scripts make (SQLite, ring) serves the tests too.
check: setup-test  ## formatting, dependencies (licences, bans, sources), lints
	cargo fmt --all --check
	cargo deny --locked check bans licenses sources
	cargo clippy --workspace --all-targets --release --locked -- -D warnings

# The binary is built together with the tests, with the features they bring: one compilation serves both.
test: check sbom  ## check, then every test; leaves target/release/edge-agent
	@scripts/test-deb.sh
	cargo build --workspace --release --locked --bins --tests
	cargo test --workspace --release --locked

# Fetches 84 MB once, so it is apart.
test-openvino: setup  ## are OpenVINO's detections those of the processor, within a tolerance?
	@scripts/setup-onnxruntime.sh openvino
	cargo run --release --locked -p benches --bin providers -- --build openvino

# Hours; may be cut at any time, the same command goes on. ARGS="--seed 2 --minutes 30" and so on: docs/chaos.md.
chaos: setup-test  ## break everything around the program and count incidents; resumable; ARGS="…" goes to the campaign
	cargo test --workspace --release --locked --test chaos -- campaign --resume "$(CURDIR)/.cache/chaos" $(ARGS)

soak: setup  ## an hour with faults: are memory, threads, descriptors and database flat?
	cargo run --release --locked -p benches --bin end_to_end -- soak --cameras 4 --size 640x360 --for 1h --every 30s \
	    --faults --plot .cache/soak.svg

bench: setup  ## run the benches (an hour), in tables as benches/RESULTS.md keeps them
	@scripts/setup-peers.sh
	cargo bench --locked -p benches
	cargo run --release --locked -p benches --bin end_to_end -- matrix
	cargo run --release --locked -p benches --bin end_to_end -- overload
	cargo run --release --locked -p benches --bin simulate -- hours
	cargo run --release --locked -p benches --bin simulate -- sweep --hours 24

clean:  ## remove what was built; what was fetched stays in .cache
	cargo clean

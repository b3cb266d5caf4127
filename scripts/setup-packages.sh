#!/usr/bin/env bash
# Installs the Debian packages that are missing. Usage: setup-packages.sh demo|test|deb|pip|venv
# Touches neither network nor sudo when all are there.
source "$(dirname "$0")/lib.sh"

case "${1:-}" in
demo)
    why="to build the program, and to receive, decode and (for the demo's camera) encode video"
    packages=(ca-certificates gcc libc6-dev pkg-config
        libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstrtspserver-1.0-dev
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
        gstreamer1.0-plugins-ugly gstreamer1.0-libav)
    ;;
test)
    why="for the tests, which deliver to real MQTT brokers and kill them, install the package, look at the
        status page in a real browser, step the clock, and lose packets"
    packages=(mosquitto mosquitto-clients nats-server dpkg-dev adduser chromium libfaketime iproute2 nftables)
    ;;
deb)
    why="to build the Debian package"
    packages=(dpkg-dev)
    ;;
pip)
    why="to fetch files that are published as Python wheels"
    packages=(python3-pip)
    ;;
venv)
    why="for the environment of the benches' peer"
    packages=(python3-venv)
    ;;
*) die "usage: $0 demo|test|deb|pip|venv" ;;
esac

if ! command -v dpkg-query >/dev/null; then
    say "packages: this is not Debian or a relative, so nothing is installed. Needed $why, under Debian's names:"
    say "  ${packages[*]}"
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then say "packages ($1): present"; exit 0; fi

say "packages ($1): installing ${missing[*]}"
by_hand="  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
as_root true || die "cannot become root to install packages" "They are needed $why." "Ask an administrator to run:" "$by_hand"

# An archive folder of our own: images made for containers delete the shared one after any apt run, and two runs at once
# then break each other. The lock timeout waits for an apt that is already running.
archives=$(mktemp -d /var/tmp/edge-agent-apt.XXXXXX)
chmod 755 "$archives"
trap 'as_root rm -rf "$archives"' EXIT
apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
    -o "Dir::Cache::archives=$archives")

# Of apt's thousands of lines, what tells that it goes on, and what went wrong.
show_progress() {
    local line fetched=0 done=0
    while IFS= read -r line; do
        case $line in
        E:* | W:* | Err:* | 'Need to get'* | Fetched*) echo "  $line" ;;
        Get:*) if ((++fetched % 50 == 0)); then echo "  $fetched packages fetched"; fi ;;
        'Setting up'*) if ((++done % 50 == 0)); then echo "  $done packages set up"; fi ;;
        esac
    done
}
# A source of someone else's that no longer answers fails the update, yet need not stop the install.
install_missing() { ("${apt[@]}" update || true; "${apt[@]}" install -y --no-install-recommends "${missing[@]}") 2>&1; }

for attempt in 1 2; do
    if install_missing | show_progress; then break; fi
    [ "$attempt" -lt 2 ] || die "could not install ${missing[*]}" "They are needed $why. apt says why above; most often the network or" \
        "apt's proxy setting. Once that is cured run this again, or as root:" "$by_hand"
    say "packages ($1): that failed, trying again"
    sleep 3
done

# Debian starts and enables a broker as it installs one. The tests start their own on free ports, so a broker that was not
# here before is not left running; one that was is not touched.
for broker in mosquitto nats-server; do
    if [[ " ${missing[*]} " == *" $broker "* ]] && [ -d /run/systemd/system ]; then
        as_root systemctl --quiet disable --now "$broker.service" &&
            say "$broker is installed, but not as a running service (to have it so: systemctl enable --now $broker)"
    fi
done

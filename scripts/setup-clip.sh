#!/usr/bin/env bash
# Puts OpenCV's vtest clip (a path with pedestrians, 80 s), the demo's camera and the tests' footage, at .cache/clips/.
# It comes out of Debian's opencv-doc package, which is not installed and not kept.
source "$(dirname "$0")/lib.sh"

clip=.cache/clips/vtest.avi
sha256=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf

if report_present "clip vtest.avi" "$clip" "$sha256"; then exit 0; fi

by_hand=("It is the demo's camera and the tests' footage. On any machine it can be taken from OpenCV's source tree,"
    "samples/data/vtest.avi, and put at $clip")
command -v apt-get >/dev/null || die "the clip is fetched as a Debian package, and apt-get is not here" "${by_hand[@]}"

make_scratch
# Unsandboxed: apt's own user may not enter a folder in someone's home.
fetch() { (cd "$scratch" && apt-get -q -o APT::Sandbox::User=root download opencv-doc); }

say "clip vtest.avi: fetching (a 96 MB package, of which 8 MB are kept)"
if ! fetch; then
    say "clip vtest.avi: bringing apt's package lists up to date"
    as_root apt-get -qq -o DPkg::Lock::Timeout=300 update || true
    fetch || die "could not fetch the package opencv-doc, which holds vtest.avi" \
        "apt says why above; most often the network or apt's proxy setting. Cure that and run again." "${by_hand[@]}"
fi
dpkg-deb --fsys-tarfile "$scratch"/opencv-doc_*.deb |
    tar -xO --wildcards '*/examples/data/vtest.avi' >"$scratch/vtest.avi" ||
    die "this system's opencv-doc does not hold vtest.avi as Debian 12's does" "${by_hand[@]}"
put_in_place "$scratch/vtest.avi" "$sha256" "$clip" 644

#!/usr/bin/env bash
# Makes the Debian package out of what is built, at target/package/. Usage: deb.sh [VERSION]
# Plain dpkg-deb: the package is a program, a library and data, and needs no tool that must itself be fetched and built.
source "$(dirname "$0")/lib.sh"

version=${1:-$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n1)}
name=ngatu-edge-agent
deploy=edge-agent/deploy
out=${CARGO_TARGET_DIR:-target}/package
binary=$out/edge-agent
libraries=(.cache/onnxruntime/libonnxruntime.so.*)
[ -x "$binary" ] || die "$binary is not there" "It is the program without the demo: make deb builds it."
[ -f "${libraries[0]}" ] || die "ONNX Runtime is not in .cache/onnxruntime" "make setup fetches it."
architecture=$(dpkg --print-architecture)

root=$out/root
rm -rf "$root"
put() { install -D -m "$1" "$2" "$root/$3"; } # MODE FILE DESTINATION
doc=usr/share/doc/$name

put 755 "$binary" usr/bin/edge-agent
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/edge-agent"
put 644 "${libraries[0]}" "usr/lib/ngatu/$(basename "${libraries[0]}")"
for folder in models pipelines hw-profiles; do
    while IFS= read -r file; do put 644 "$file" "usr/share/ngatu/$file"; done < <(git_files "$folder")
done
while IFS= read -r file; do put 644 "$file" "usr/share/ngatu/schemas/$(basename "$file")"; done < <(git_files edge-agent/schemas)
put 644 "$deploy/$name.service" "usr/lib/systemd/system/$name.service"
for example in site.example.toml holidays.vn.toml; do
    put 644 "$deploy/$example" "etc/ngatu/$example"
    # In the checkout the schema is beside it; here it is below /usr/share.
    sed -i 's|\.\./schemas/|/usr/share/ngatu/schemas/|' "$root/etc/ngatu/$example"
done
for example in mosquitto.conf mosquitto.acl; do put 644 "$deploy/$example" "$doc/examples/$example"; done
put 644 "$deploy/debian/copyright" "$doc/copyright"
put 644 NOTICE "$doc/NOTICE"
put 644 SECURITY.md "$doc/SECURITY.md"
for licence in LICENSE ThirdPartyNotices.txt; do put 644 ".cache/onnxruntime/$licence" "$doc/onnxruntime/$licence"; done
printf '%s (%s) stable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n\n -- Nga Tu <packages@ngatu.example>  %s\n' \
    "$name" "$version" "$(date -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")" >"$root/$doc/changelog"
put 644 CHANGELOG.md "$doc/CHANGELOG.md"

mkdir -p "$root/usr/share/man/man1"
"$binary" man --dir "$root/usr/share/man/man1"
"$binary" completions bash >"$out/completions" && put 644 "$out/completions" usr/share/bash-completion/completions/edge-agent
"$binary" completions zsh >"$out/completions" && put 644 "$out/completions" usr/share/zsh/vendor-completions/_edge-agent
"$binary" completions fish >"$out/completions" &&
    put 644 "$out/completions" usr/share/fish/vendor_completions.d/edge-agent.fish
gzip -9n "$root"/usr/share/man/man1/* "$root/$doc"/{changelog,CHANGELOG.md} "$root/$doc/onnxruntime/ThirdPartyNotices.txt"

# dpkg-shlibdeps names the packages of the libraries that program and ONNX Runtime are linked with; GStreamer's elements
# are found at run time, so theirs are named here.
mkdir -p "$out/shlibs/debian"
printf 'Source: %s\n\nPackage: %s\nArchitecture: any\n' "$name" "$name" >"$out/shlibs/debian/control"
linked=$(cd "$out/shlibs" && dpkg-shlibdeps -O --ignore-missing-info ../root/usr/bin/edge-agent ../root/usr/lib/ngatu/* 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p')
[ -n "$linked" ] || die "dpkg-shlibdeps does not say what the program needs" "It is in the package dpkg-dev."
elements="gstreamer1.0-plugins-base, gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad, gstreamer1.0-libav"

mkdir -p "$root/DEBIAN"
for script in postinst prerm postrm; do put 755 "$deploy/debian/$script" "DEBIAN/$script"; done
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: Nga Tu <packages@ngatu.example>
Section: net
Priority: optional
Installed-Size: $(du -k -s --exclude=DEBIAN "$root" | cut -f1)
Depends: $linked, $elements, adduser, init-system-helpers (>= 1.54)
Recommends: ca-certificates, systemd
Description: watches a junction's cameras and reports incidents over MQTT
 Decodes the cameras of a junction cabinet (GStreamer), detects with ONNX
 models, tracks, judges incidents and delivers them to an operations centre over
 MQTT: on disk before they are sent, once, in order, whatever the link does.
 .
 The service starts once there is an /etc/ngatu/site.toml;
 /etc/ngatu/site.example.toml is the reference of every key.
CONTROL
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$root" -type d -exec chmod 755 {} +
chmod 644 "$root"/DEBIAN/{control,conffiles,md5sums}

package=$out/${name}_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz -z3 --build "$root" "$package" >/dev/null
say "$package: ready ($(du -h "$package" | cut -f1))"

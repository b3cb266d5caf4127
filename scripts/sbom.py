#!/usr/bin/env python3
"""Writes what the package is made of, as CycloneDX 1.5, and checks it. Usage: sbom.py OUT (after make deb)

In it: the crates that are compiled into the packaged program (without the demo's), ONNX Runtime, the bundled models, and
the Debian packages that the package depends on. cargo-cyclonedx was tried: it takes minutes to build, knows crates alone,
and lists the demo's too, because it resolves the features of the whole workspace at once.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = "edge-agent"
PACKAGE = "ngatu-edge-agent"


def said(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def component(kind, name, version, licence, purl, sha256=None, **more):
    # A licence in SPDX's words is an expression; in anybody else's a name.
    of = [{"expression": licence}] if re.fullmatch(r"[A-Za-z0-9.+() -]+", licence) else [{"license": {"name": licence}}]
    found = {"type": kind, "bom-ref": purl, "name": name, "version": version, "licenses": of, "purl": purl, **more}
    if sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": sha256}]
    return found


def host():
    return re.search(r"^host: (.*)$", said("rustc", "-vV"), re.M)[1]


def crates():
    """The crates in the program, and who needs whom."""
    tree = said("cargo", "tree", "--locked", "-p", PROGRAM, "--no-default-features", "-e", "normal", "--target", host(),
                "--prefix", "none", "-f", "{p}")
    built = {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}
    known = json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host()))
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    sums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in locked}
    packages = {p["id"]: p for p in known["packages"] if (p["name"], "v" + p["version"]) in built}
    if len(packages) != len(built):
        raise SystemExit(f"sbom: {len(built)} crates are built and {len(packages)} known")
    # `MIT/Apache-2.0` is how crates wrote OR before SPDX had a word for it.
    parts = {
        at: component("application" if p["name"] == PROGRAM else "library", p["name"], p["version"],
                      (p["license"] or f"see {p['license_file']}").replace("/", " OR "),
                      f"pkg:cargo/{p['name']}@{p['version']}", sums.get((p["name"], p["version"])))
        for at, p in packages.items()
    }
    needs = [
        {"ref": parts[node["id"]]["bom-ref"],
         "dependsOn": sorted({parts[d["pkg"]]["bom-ref"] for d in node["deps"]
                              if d["pkg"] in parts and any(k["kind"] is None for k in d["dep_kinds"])})}
        for node in known["resolve"]["nodes"] if node["id"] in parts
    ]
    return list(parts.values()), needs


def onnx_runtime():
    step = (ROOT / "scripts/setup-onnxruntime.sh").read_text()
    version, sha256 = (re.search(rf"^{key}=(\S+)$", step, re.M)[1] for key in ("version", "sha256"))
    return component("library", "onnxruntime", version, "MIT", f"pkg:pypi/onnxruntime@{version}", sha256,
                     description="ONNX Runtime, loaded at run time")


def models():
    """Those whose weights are in the package; what they say of themselves is held to the file."""
    for manifest in sorted(ROOT.glob("models/*/model.toml")):
        model = tomllib.loads(manifest.read_text())
        weights = manifest.parent / model["file"]
        if not said("git", "ls-files", "--", str(weights)).strip():
            continue
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
        if found != model["sha256"]:
            raise SystemExit(f"sbom: {weights} is not the file of its manifest")
        version = found[:12]
        yield component("machine-learning-model", model["name"], version, model["licence"],
                        f"pkg:generic/ngatu-model-{model['name']}@{version}?checksum=sha256:{found}", found,
                        description=model["description"])


def debian():
    """What the package depends on, with the versions of this machine, and the licences of each copyright file."""
    control = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "package/root/DEBIAN/control"
    depends = re.search(r"^Depends: (.*)$", control.read_text(), re.M)[1]
    for name in sorted({re.split(r"[ (|:]", one.strip())[0] for one in depends.split(",")}):
        version, arch = said("dpkg-query", "-W", "-f", "${Version} ${Architecture}", name).split()
        copyright = pathlib.Path(f"/usr/share/doc/{name}/copyright")
        text = copyright.read_text(errors="replace") if copyright.exists() else ""
        licences = sorted(set(re.findall(r"^License: *(\S[^\n]*)$", text, re.M)))
        licence = "; ".join(licences) or f"see {copyright}"
        part = component("library", name, version, licence, f"pkg:deb/debian/{name}@{version}?arch={arch}")
        part["licenses"] = [{"license": {"name": licence}}]
        yield part


def check(bom):
    """Every component says what it is, in which version, under which licence, and where it is from; names are told once."""
    wrong = []
    parts = [bom["metadata"]["component"], *bom["components"]]
    for part in parts:
        lacking = [key for key in ("name", "version", "licenses", "purl") if not part.get(key)]
        if lacking or not part["purl"].startswith("pkg:"):
            wrong.append(f"{part.get('name')}: lacks {lacking or 'a purl'}")
    refs = [part["bom-ref"] for part in parts]
    wrong += [f"{ref}: told twice" for ref in {ref for ref in refs if refs.count(ref) > 1}]
    wrong += [f"{ref}: needed and not told" for one in bom["dependencies"] for ref in one["dependsOn"] if ref not in refs]
    names = {part["name"] for part in parts}
    wrong += [f"{name}: missing" for name in ("rustls", "rusqlite", "onnxruntime", "libgstreamer1.0-0") if name not in names]
    wrong += [f"{name}: of the demo or the tests, not of the package" for name in ("rumqttd", "rcgen") if name in names]
    if not any(part["type"] == "machine-learning-model" for part in parts):
        wrong.append("no model")
    return wrong


def main():
    out = pathlib.Path(sys.argv[1])
    parts, needs = crates()
    [program] = [part for part in parts if part["name"] == PROGRAM]
    others = sorted((p for p in parts if p is not program), key=lambda part: part["bom-ref"])
    beside = [onnx_runtime(), *models(), *debian()]
    for one in needs:
        if one["ref"] == program["bom-ref"]:
            one["dependsOn"] = sorted(one["dependsOn"] + [part["bom-ref"] for part in beside])
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or said("git", "log", "-1", "--format=%ct"))
    bom = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": program,
        },
        "components": others + beside, "dependencies": sorted(needs, key=lambda one: one["ref"]),
    }
    # The same content, the same number.
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))}"
    if wrong := check(bom):
        raise SystemExit("sbom: " + "\nsbom: ".join(wrong))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n")
    print(f"sbom: {out}: {len(parts)} crates, {len(beside)} other parts, each with version, licence and purl")


main()

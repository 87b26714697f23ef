"""Reads manifests as Odoo 17's load_manifest does: a JSON list of files in
base64 on standard input, and on standard output what a build needs of each."""

import ast
import base64
import collections.abc
import io
import json
import sys
import warnings

warnings.simplefilter("ignore")


def load(data):
    manifest = {
        "name": "", "version": "1.0", "license": "", "depends": [],
        "external_dependencies": {}, "installable": True, "auto_install": False,
    }
    manifest.update(ast.literal_eval(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8").read()))
    auto = manifest["auto_install"]
    if isinstance(auto, collections.abc.Iterable):
        on = sorted(set(auto))
        assert not set(auto).difference(manifest["depends"])
    else:
        on = sorted(set(manifest["depends"])) if auto else []
    external = manifest["external_dependencies"] or {}
    return {
        "Name": manifest["name"],
        "Version": manifest["version"],
        "License": manifest["license"],
        "Depends": sorted(manifest["depends"]),
        "ExternalPython": sorted(external.get("python", [])),
        "ExternalBin": sorted(external.get("bin", [])),
        "Installable": bool(manifest["installable"]),
        "AutoInstall": isinstance(auto, collections.abc.Iterable) or bool(auto),
        "AutoInstallOn": on,
    }


json.dump([load(base64.b64decode(f)) for f in json.load(sys.stdin)], sys.stdout)

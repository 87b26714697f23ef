"""Reads requirements files with pip's own parser.

stdin: a JSON list of {"files", "constraints", "environ", "environment"}.
stdout: for each, {"lines": [...], "options": [...]} or {"error": "..."}.
"""

import json
import os
import sys

from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements
from pip._internal.req.req_install import check_invalid_constraint_type
from pip._vendor.packaging.utils import canonicalize_name


def read(case):
    os.environ.update(case["environ"] or {})
    session = PipSession()
    collector = LinkCollector(session, SearchScope([], [], False))
    finder = PackageFinder.create(collector, SelectionPreferences(allow_yanked=False))
    lines = []
    for constraint, names in ((False, case["files"]), (True, case["constraints"])):
        for name in names or []:
            for parsed in parse_requirements(name, session, finder=finder, constraint=constraint):
                lines.append(line(parsed, case["environment"]))
    for name in case["environ"] or {}:
        del os.environ[name]
    scope = finder.search_scope
    control = finder.format_control
    return {
        "lines": lines,
        "index": scope.index_urls,
        "find": scope.find_links,
        "no_index": scope.no_index,
        "binary": [sorted(control.no_binary), sorted(control.only_binary)],
        "prefer_binary": finder.prefer_binary,
        "trusted": sorted(finder.trusted_hosts),
    }


def line(parsed, environment):
    r = install_req_from_parsed_requirement(parsed)
    if parsed.constraint and check_invalid_constraint_type(r):
        raise ValueError(check_invalid_constraint_type(r))
    options = parsed.options or {}
    hashes = [f"{k}:{v}" for k, vs in options.get("hashes", {}).items() for v in vs]
    return {
        "place": parsed.line_source,
        "constraint": parsed.constraint,
        "name": canonicalize_name(r.name) if r.name else "",
        "extras": sorted(canonicalize_name(e) for e in r.extras),
        "specifier": sorted([s.operator, s.version] for s in r.req.specifier) if r.req and not r.link else [],
        "url": r.link.url if r.link else "",
        "active": r.markers is None or r.markers.evaluate({**environment, "extra": ""}),
        "hashes": sorted(hashes),
        "settings": options.get("config_settings") or {},
    }


def attempt(case):
    try:
        return read(case)
    except BaseException as error:  # optparse exits
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([attempt(case) for case in json.load(sys.stdin)], sys.stdout)

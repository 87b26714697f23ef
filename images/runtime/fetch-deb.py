"""fetch-deb.py URL FILE ARCHITECTURE=SHA256... downloads a Debian package by its checksum.

{architecture} in the URL becomes Debian's name of the machine's. An empty URL
fetches nothing. It is Python as every base image has that.
"""

import hashlib
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

MAXIMUM = 256 << 20  # bytes


def fetch(url, want, path):
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as file:
        while block := answer.read(1 << 20):
            size += len(block)
            if size > MAXIMUM:
                raise ValueError("has more than %d bytes" % MAXIMUM)
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != want:
        raise ValueError("has the SHA-256 %s, and not %s" % (digest.hexdigest(), want))


def main(url, path, *sums):
    if not url:
        return None
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    url = url.replace("{architecture}", architecture)
    want = dict(sum.split("=", 1) for sum in sums).get(architecture)
    if not want:
        return "no SHA-256 is pinned for %s\n  pin it as images/README.md says, or leave wkhtmltopdf out: --build-arg WKHTMLTOPDF_URL=" % url
    if not re.fullmatch("[0-9a-f]{64}", want):
        return "%r is no SHA-256: it has 64 hexadecimal digits" % want
    try:
        fetch(url, want, path)
    except (OSError, ValueError) as err:
        if os.path.exists(path):
            os.remove(path)
        reason = err.reason if type(err) is urllib.error.URLError else err
        return "%s: %s" % (url, reason)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

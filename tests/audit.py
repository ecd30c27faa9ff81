"""``python -m tests.audit``: whether advisories are known of what the lock holds, by pip-audit.

It needs a network on which the advisories can be had. Where there is none it says so, and fails
nothing: a developer on a train, or a machine that is let out to a mirror only, must be able to lint.
"""

import json
import subprocess
import sys

LOCK = "requirements-dev.lock"  # which holds requirements.lock, and the extras
_SOCKET_SECONDS, _SECONDS = 5, 120
_COMMAND = [
    *(sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--require-hashes"),
    *("--disable-pip", "--format", "json", "--progress-spinner", "off"),
    *("--timeout", str(_SOCKET_SECONDS)),
]


def verdict(report: str) -> tuple[str, int]:
    """What pip-audit's report in JSON comes to, in words, and the exit code."""
    try:
        found = json.loads(report)["dependencies"]
    except ValueError:
        return "pip-audit: skipped, as no advisories can be had from here", 0
    known = [package for package in found if "vulns" in package]
    bad = [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in "
        f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in known
        for advisory in package["vulns"]
    ]
    if bad:
        return "\n".join(["pip-audit: advisories are known of", *bad]), 1
    if not known:
        return "pip-audit: skipped, as no advisories can be had from here", 0
    return f"pip-audit: of {len(found)} packages {len(known)} were looked up, none is bad", 0


def main() -> None:
    """Ask, print the verdict, and exit with its code."""
    try:
        done = subprocess.run(_COMMAND, capture_output=True, text=True, timeout=_SECONDS)
        words, code = verdict(done.stdout)
    except subprocess.TimeoutExpired:
        words, code = f"pip-audit: skipped, as {_SECONDS} s were not enough", 0
    print(words)
    sys.exit(code)


if __name__ == "__main__":
    main()

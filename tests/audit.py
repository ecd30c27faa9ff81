"""``python -m tests.audit``: look for security advisories about the locked packages, with pip-audit.

It needs network access to the advisories. Without it, it prints that it was skipped and exits with
0, so that linting also works offline.
"""

import json
import subprocess
import sys

LOCK = "requirements-dev.lock"  # contains requirements.lock and all extras
_SOCKET_SECONDS, _TIMEOUT_SECONDS = 5, 120
_COMMAND = [
    *(sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--require-hashes"),
    *("--disable-pip", "--format", "json", "--progress-spinner", "off"),
    *("--timeout", str(_SOCKET_SECONDS)),
]


def verdict(report: str) -> tuple[str, int]:
    """A message about pip-audit's report in JSON, and the exit code."""
    try:
        packages = json.loads(report)["dependencies"]
    except ValueError:
        return "pip-audit: skipped, because the advisories cannot be reached", 0
    checked = [package for package in packages if "vulns" in package]
    advisories = [
        f"{package['name']} {package['version']}: {advisory['id']}, fixed in "
        f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in checked
        for advisory in package["vulns"]
    ]
    if advisories:
        return "\n".join(["pip-audit: packages with advisories", *advisories]), 1
    if not checked:
        return "pip-audit: skipped, because the advisories cannot be reached", 0
    return f"pip-audit: {len(checked)} of {len(packages)} packages checked, no advisories", 0


def main() -> None:
    """Run pip-audit, print the verdict, and exit with its code."""
    try:
        process = subprocess.run(_COMMAND, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
        message, code = verdict(process.stdout)
    except subprocess.TimeoutExpired:
        message, code = f"pip-audit: skipped after {_TIMEOUT_SECONDS} s without a result", 0
    print(message)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""Prints which peers this Python has: {package: version or null}. Imports none of them."""

import json
import sys
from importlib.metadata import PackageNotFoundError, version


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    print(json.dumps({package: version_of(package) for package in sys.argv[1:]}))

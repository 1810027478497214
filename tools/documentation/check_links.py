"""Check the links of all pages that lead to other sites; ``tests/docs`` checks the others.

``python tools/documentation/check_links.py --external`` opens them; without ``--external``, it counts them. A site that
refuses programs (401, 403, 429) counts as there. Without a connection, the links are skipped, and the program says so.
"""

from __future__ import annotations

import argparse
import socket
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from pages import written_pages

_OWN = ("https://github.com/napari-segcam/", "https://raw.githubusercontent.com/napari-segcam/")
_REFUSES_PROGRAMS = {401, 403, 405, 429, 999}
_SECONDS = 20


def external_links() -> dict[str, list[str]]:
    """Return the addresses on other sites, each with the pages and lines that link to it."""
    found: dict[str, list[str]] = {}
    for path, page in written_pages().items():
        for link, line in page.links():
            address = link.partition("#")[0]
            if address.startswith("https://") and not address.startswith(_OWN):
                found.setdefault(address, []).append(f"{path}:{line}")
    return found


def problem_with(address: str) -> str:
    """Return what is wrong with an address; empty if a page is there."""
    request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (napari-segcam: link check)"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            return "" if response.status < 400 else f"status {response.status}"
    except urllib.error.HTTPError as error:
        return "" if error.code in _REFUSES_PROGRAMS else f"status {error.code}"
    except (OSError, ValueError) as error:
        return str(error)


def is_connected() -> bool:
    """Return whether names of other machines can be looked up."""
    try:
        socket.getaddrinfo("github.com", 443)
    except OSError:
        return False
    return True


def main() -> int:
    """Print each broken link; return 1 if there is one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--external", action="store_true", help="also open the links to other sites")
    links = external_links()
    if not parser.parse_args().external:
        print(f"{len(links)} links to other sites are not opened (--external); tests/docs checks the others.")
        return 0
    if not is_connected():
        print(f"There is no connection: {len(links)} links to other sites are skipped.")
        return 0
    with ThreadPoolExecutor(8) as pool:
        problems = dict(zip(links, pool.map(problem_with, links), strict=True))
    broken = {address: why for address, why in problems.items() if why}
    for address, why in broken.items():
        print(f"{address}: {why} ({', '.join(links[address])})")
    print(f"{len(links) - len(broken)} of {len(links)} links to other sites lead somewhere.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

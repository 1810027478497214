"""Run the blocks of commands of a tutorial as written, in a folder of their own, and compare what they print."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tools.screenshots.tutorial import Block

ROOT = Path(__file__).parents[2]

_PYTHON = """
import json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "tutorial", "exec"), names)
        ending = "done"
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        ending = "failed"
    print("\\n\\0" + ending, flush=True)
"""


class BlockFailedError(Exception):
    """A block of a tutorial ended with an error, or printed something else than the page says."""


class Blocks:
    """Runs blocks one after the other; those in Python share their names.

    Args:
        folder: where they run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python: subprocess.Popen[str] | None = None
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
        }

    def run(self, block: Block) -> str:
        """Run a block and return what it printed.

        Raises:
            BlockFailedError: if it ends with an error, or a line of output that the page shows is missing.
        """
        printed = self._run_shell(block) if block.language == "sh" else self._run_python(block)
        if missing := missing_lines(block.output, printed):
            raise BlockFailedError(f"line {block.line}: the page shows “{missing[0]}”, but printed was:\n{printed}")
        return printed

    def close(self) -> None:
        """End the process of the Python blocks."""
        if self._python is not None:
            assert self._python.stdin is not None
            self._python.stdin.close()
            self._python.wait()

    def _run_shell(self, block: Block) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.code],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BlockFailedError(f"line {block.line}: the commands ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def _run_python(self, block: Block) -> str:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-c", _PYTHON],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        self._python.stdin.write(json.dumps(block.code) + "\n")
        self._python.stdin.flush()
        printed = []
        for line in self._python.stdout:
            if line.startswith("\0"):
                if line.strip("\0\n") != "done":
                    raise BlockFailedError(f"line {block.line}: the block failed:\n{''.join(printed)}")
                return "".join(printed)
            printed.append(line)
        raise BlockFailedError(f"line {block.line}: Python ended:\n{''.join(printed)}")


def missing_lines(expected: tuple[str, ...], printed: str) -> list[str]:
    """Return the lines that were not printed in this order. Each ``…`` in them stands for anything; so do spaces."""
    lines = iter(" ".join(line.split()) for line in printed.splitlines())
    return [row for row in expected if not any(_pattern(row).fullmatch(line) for line in lines)]


def _pattern(row: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in " ".join(row.split()).split("…")))

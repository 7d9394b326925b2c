"""The simulated cloud, run by tests/contract's `serve-cloud`, for the judges written in Python."""

import json
import subprocess


class Cloud:
    """A running `serve-cloud`: `info` is its introduction, orders are given with `do`."""

    def __init__(self, program):
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.info = self._line()

    def do(self, order, **arguments):
        """Gives one order and returns its answer; a refused order is an error."""
        self._process.stdin.write(json.dumps({"do": order, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._line()
        if "error" in answer:
            raise ValueError(f"{order} {arguments}: {answer['error']}")
        return answer

    def _line(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulated cloud has ended ({self._process.wait()})")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=10)

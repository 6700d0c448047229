"""Files of lines that many processes append to, and that outlive each of them."""

import os
from collections.abc import Iterator
from pathlib import Path


def append(path: Path | str, *words: object) -> None:
    """Add one line by one write, which no death of a process can cut in two."""
    fd = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(fd, f"{' '.join(map(str, words))}\n".encode())
    finally:
        os.close(fd)


class Lines:
    """The lines of a file, read on from where one stopped.

    Args:
        path: of the file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def fresh(self) -> Iterator[list[str]]:
        """The words of each line that was added since."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]  # the last one may still be under way
        self._read += len(text)
        for line in text.decode().splitlines():
            yield line.split(" ")

"""Writes the text of one PDF, page by page, in a process of its own that its parent may end at any moment.

A PDF may come from anywhere and is read by a large library in C++: what it can do to us is bounded by this process's
limits. Started with the file's name; pages go to standard output, parted by form feeds. Imports nothing of ours.
"""

from __future__ import annotations

import resource
import sys

MEMORY_BYTES = 2 << 30
OUTPUT_BYTES = 64 << 20
SECONDS = 120


def main(name: str) -> int:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(name)
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage().get_text_bounded()
            sys.stdout.buffer.write(text.encode("utf-8", "replace").replace(b"\f", b" ") + b"\f")
            page.close()
    except (pypdfium2.PdfiumError, OSError, MemoryError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

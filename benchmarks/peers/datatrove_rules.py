"""datatrove's filters over JSON lines `{"text"}` on standard input: one line of verdicts each. Run by its own Python.

With `--same-words`, words, sentences and marks are told as smolforge tells them; nothing else is changed.
"""

from __future__ import annotations

import json
import sys

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

FILTERS = {
    "gopher_repetition": GopherRepetitionFilter(),
    "gopher_quality": GopherQualityFilter(),
    "c4": C4QualityFilter(),
    "c4_all_lines": C4QualityFilter(filter_no_terminal_punct=False),
    "fineweb_quality": FineWebQualityFilter(),
}


class Marks:
    """The set of marks, as a question."""

    def __contains__(self, character: str) -> bool:
        from smolforge.data.clean.published import _is_mark

        return _is_mark(character)


def take_our_words() -> None:
    from smolforge.data.clean.published import TOKEN, sentences_in

    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter):
        module.split_into_words = lambda text, language: TOKEN.findall(text)
    c4_filters.split_into_sentences = lambda line, language: [line] * sentences_in(line)
    gopher_quality_filter.PUNCTUATION_SET = Marks()


def main() -> None:
    if "--same-words" in sys.argv:
        take_our_words()
    for line in sys.stdin:
        text, told = json.loads(line)["text"], {}
        for name, rules in FILTERS.items():
            document = Document(text=text, id="x")
            verdict = rules.filter(document)
            told[name] = [verdict is True, "" if verdict is True else verdict[1], document.text]
        print(json.dumps(told))


if __name__ == "__main__":
    main()

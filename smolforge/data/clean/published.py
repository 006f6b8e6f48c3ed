"""Rules for pages of the web as the papers publish them, with their limits: Gopher, C4, FineWeb.

Each set is a function of a page that gives a verdict and the text that is left; `SETS` names them. A word is a run of
letters and digits, or a single mark: the published limits were found with tokenizers that count marks.

Departures, chosen: a mark is what Unicode calls punctuation or a symbol; C4's list of bad words is left out.
Equal to the filters of datatrove verdict by verdict where the words are the same (benchmarks/rules.py).

Sources: Gopher, arXiv:2112.11446, table A1 and appendix A · C4, arXiv:1910.10683, section 2.2 · FineWeb, arXiv:2406.17557,
section 3.6 · other languages: FineWeb2, arXiv:2506.20920, section 3.4.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from smolforge.data.clean.filters import COMBINING, ENGLISH
from smolforge.data.read.documents import KEEP, Verdict, drop

TOKEN = re.compile(rf"[^\W_]+(?:[{COMBINING}]+[^\W_]*|[.,'’:/&@][^\W_]+)*|\.{{2,}}|-{{2,}}|[^\w\s]|_+")
SENTENCE_END = re.compile(r"[.!?。！？।]+[\"”'’)\]]*(?=\s|$)")
TERMINAL = tuple(".!?。．｡！？﹗﹖‼⁇⁈⁉‽।॥۔؟։።፧។៕။")
"""Unicode's sentence-terminal marks of the scripts in use."""


@dataclass(frozen=True)
class Language:
    """What differs from language to language: common words, and the mean length of a word in letters."""

    stop_words: frozenset[str]
    shortest: float = 3.0
    longest: float = 10.0


def _language(words: str, shortest: float = 3.0, longest: float = 10.0) -> Language:
    return Language(frozenset(words.split()), shortest, longest)


LANGUAGES: Mapping[str, Language] = {
    "en": _language("the be to of and that have with"),
    "de": _language("der die und in den das nicht zu mit ist", longest=12.0),
    "fr": _language("de la le et les des en que une est"),
    "es": _language("de la que el en y los del las una"),
    "it": _language("di che la il un e per in del una"),
    "pt": _language("de a que o e do da em um para"),
    "nl": _language("de van het een en in is dat op te", longest=11.0),
    "sv": _language("och i att en som är på av för det", longest=11.0),
    "da": _language("og i at en som er på af for det", longest=11.0),
    "no": _language("og i å en som er på av for det", longest=11.0),
    "pl": _language("i w na z do się nie jest że o", longest=11.0),
    "cs": _language("a v na se je že s z do o", longest=11.0),
    "ru": _language("и в на не что с по для как это", longest=11.0),
    "uk": _language("і в на не що з та до для як", longest=11.0),
    "fi": _language("ja on ei se että oli hän joka ovat tai", longest=14.0),
    "hu": _language("a az és hogy nem is van egy vagy meg", longest=12.0),
    "tr": _language("ve bir bu için ile da de olarak her ya", longest=12.0),
    "el": _language("και το η να του της με για που στο", longest=11.0),
    "ro": _language("și de la în a cu nu pe din este"),
    "id": _language("yang dan di untuk dengan dari dalam tidak ini setiap", longest=11.0),
    "vi": _language("và của các có được cho không trong là người", shortest=2.0),
    "ar": _language("في من على أن إلى أو لا كل هذا التي", shortest=2.5),
    "hi": _language("के की है और में को से का भी या", shortest=2.0),
}
"""English is Gopher's. Common words of the others are chosen, and found twice or more in each language's Universal Declaration
of Human Rights (tests); their longest mean word leaves the declaration a third of room (measured)."""


@lru_cache(maxsize=1 << 14)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PSC"


@dataclass(frozen=True)
class Page:
    """A text and what several rules need of it, worked out when first asked for."""

    text: str
    language: str = ENGLISH

    @cached_property
    def words(self) -> list[str]:
        return TOKEN.findall(self.text)

    @cached_property
    def hashes(self) -> npt.NDArray[np.int64]:
        return np.fromiter(map(hash, self.words), dtype=np.int64, count=len(self.words))

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Characters up to each word, from 0; [words + 1]."""
        return np.cumsum(np.fromiter(map(len, ["", *self.words]), dtype=np.int64, count=len(self.words) + 1))


Judged = tuple[Verdict, str]


def gopher_quality(page: Page) -> Judged:
    """Gopher, appendix A.1.1."""
    known = LANGUAGES.get(page.language, Language(frozenset(), 2.0, 20.0))
    spoken = [word for word in page.words if not all(map(_is_mark, word))]
    if len(spoken) < 50:
        return drop("gopher_short", f"{len(spoken)} words"), page.text
    if len(spoken) > 100_000:
        return drop("gopher_long", f"{len(spoken)} words"), page.text
    mean = sum(map(len, spoken)) / len(spoken)
    if not known.shortest <= mean <= known.longest:
        return drop("gopher_word_length", f"mean word of {mean:.1f} letters"), page.text
    return _first(_gopher_signs(page)) or _first(_gopher_words(page, known)) or KEEP, page.text


def _gopher_signs(page: Page) -> Iterator[Verdict]:
    text, lines = page.text, page.text.splitlines()
    hashes, dots = text.count("#"), text.count("...") + text.count("…")
    yield _above("gopher_hashes", hashes / len(page.words), 0.1, "# to a word")
    yield _above("gopher_ellipses", dots / len(page.words), 0.1, "… to a word")
    listed = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    cut = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    yield _above("gopher_bullets", listed / len(lines), 0.9, "of lines are list items")
    yield _above("gopher_cut_lines", cut / len(lines), 0.3, "of lines break off")


def _gopher_words(page: Page, known: Language) -> Iterator[Verdict]:
    lettered = sum(any(c.isalpha() for c in word) for word in page.words) / len(page.words)
    yield KEEP if lettered >= 0.8 else drop("gopher_letters", f"{lettered:.0%} of words hold a letter")
    found = len(known.stop_words.intersection(page.words))
    few = found < 2 and bool(known.stop_words)
    yield drop("gopher_stop_words", f"{found} common words") if few else KEEP


TOP_NGRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
REPEATED_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def gopher_repetition(page: Page) -> Judged:
    """Gopher, table A1: lines, paragraphs and n-grams of words that come again."""
    if not page.text:
        return drop("gopher_empty", "no text"), page.text
    return _first(_repeated_blocks(page.text)) or _first(_repeated_ngrams(page)) or KEEP, page.text


def _repeated_blocks(text: str) -> Iterator[Verdict]:
    for name, blocks in (
        ("paragraphs", re.split(r"\n{2,}", text.strip())),
        ("lines", re.split(r"\n+", text)),
    ):
        count, characters = _repeats(blocks)
        yield _above(f"gopher_repeated_{name}", count / len(blocks), 0.3, f"of {name} are repeats")
        said = f"of characters are in repeated {name}"
        yield _above(f"gopher_characters_in_repeated_{name}", characters / len(text), 0.2, said)


def _repeats(blocks: Sequence[str]) -> tuple[int, int]:
    """How many blocks stood before, and their characters."""
    seen: set[str] = set()
    count = characters = 0
    for block in blocks:
        if block in seen:
            count, characters = count + 1, characters + len(block)
        seen.add(block)
    return count, characters


def _repeated_ngrams(page: Page) -> Iterator[Verdict]:
    grams, size = page.hashes, len(page.text)
    for n in range(2, 11):
        if len(page.words) < n:
            return
        with np.errstate(over="ignore"):
            grams = grams[:-1] * np.int64(1_000_003) + page.hashes[n - 1 :]
        if n in TOP_NGRAMS:
            share = _top_characters(grams, page.lengths, n) / size
            yield _above(f"gopher_top_{n}_gram", share, TOP_NGRAMS[n], f"of characters are one {n}-gram")
        else:
            share = _repeated_characters(grams, page.lengths, n, REPEATED_NGRAMS[n] * size) / size
            said = f"of characters repeat {n}-grams"
            yield _above(f"gopher_repeated_{n}_grams", share, REPEATED_NGRAMS[n], said)


def _top_characters(grams: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], n: int) -> int:
    """Characters of the most frequent n-gram, spaces too, the first of equally frequent ones."""
    _, first, counts = np.unique(grams, return_index=True, return_counts=True)
    most = counts.max()
    place = int(first[counts == most].min())
    return int(most) * (int(lengths[place + n] - lengths[place]) + n - 1)


def _repeated_characters(
    grams: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], n: int, limit: float
) -> int:
    """Characters of n-grams that stood before, none counted twice. Below `limit` a bound from above serves as well."""
    sizes = lengths[n:] - lengths[:-n]
    _, first = np.unique(grams, return_index=True)
    bound = int(sizes.sum() - sizes[first].sum())
    if bound <= limit:
        return bound
    seen: set[int] = set()
    place = characters = 0
    plain = grams.tolist()
    while place < len(plain):
        if plain[place] in seen:
            characters += int(sizes[place])
            place += n
        else:
            seen.add(plain[place])
            place += 1
    return characters


CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
POLICIES = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
)  # fmt: skip


def c4(page: Page) -> Judged:
    """C4: only lines that end like a sentence stay, in pages with at least five sentences."""
    return _c4(page, whole_lines=True)


def c4_all_lines(page: Page) -> Judged:
    """C4 without the rule on how a line ends, which costs a third of the text: as FineWeb uses it."""
    return _c4(page, whole_lines=False)


def _c4(page: Page, whole_lines: bool) -> Judged:
    kept, sentences = [], 0
    for line in map(str.strip, page.text.splitlines()):
        words = line.split()
        if any(len(word) > 1000 for word in words):
            continue
        line = CITATION.sub("", line)
        if whole_lines and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(words) < 3:
            continue
        said = line.lower()
        if "lorem ipsum" in said:
            return drop("c4_lorem_ipsum", "says 'lorem ipsum'"), page.text
        if "javascript" in said:
            continue
        if "{" in line:
            return drop("c4_curly_bracket", "has a curly bracket"), page.text
        if any(policy in said for policy in POLICIES):
            continue
        sentences += sentences_in(line)
        kept.append(line)
    if sentences < 5:
        return drop("c4_sentences", f"{sentences} sentences"), page.text
    return KEEP, "\n".join(kept).strip()


def sentences_in(line: str) -> int:
    """Sentences of a line; words after the last end are one too."""
    ends = [found.end() for found in SENTENCE_END.finditer(line)]
    return len(ends) + bool(line[ends[-1] if ends else 0 :].strip())


def fineweb_quality(page: Page) -> Judged:
    """FineWeb, section 3.6: how lines end, how short and how alike they are, and how many there are."""
    lines = [line for line in page.text.split("\n") if line.strip()]
    if not lines:
        return drop("fineweb_empty", "no line"), page.text
    return _first(_fineweb(page, lines)) or KEEP, page.text


def _fineweb(page: Page, lines: Sequence[str]) -> Iterator[Verdict]:
    ended = sum(line.endswith(TERMINAL) for line in lines) / len(lines)
    yield KEEP if ended >= 0.12 else drop("fineweb_line_ends", f"{ended:.0%} of lines end in punctuation")
    short = sum(len(line) <= 30 for line in lines) / len(lines)
    yield _above("fineweb_short_lines", short, 0.67, "of lines are short")
    _, characters = _repeats(lines)
    share = characters / len(page.text.replace("\n", ""))
    yield _above("fineweb_repeated_characters", share, 0.01, "of characters are in repeated lines")
    newlines = page.text.count("\n") / max(1, len(page.words))
    yield _above("fineweb_newlines", newlines, 0.3, "newlines to a word")


def _above(rule: str, share: float, limit: float, said: str) -> Verdict:
    return drop(rule, f"{share:.2%} {said}") if share > limit else KEEP


def _first(verdicts: Iterator[Verdict]) -> Verdict | None:
    """The first verdict against the page; later rules are not asked."""
    return next((verdict for verdict in verdicts if not verdict.keep), None)


def known_languages() -> str:
    """The codes for which there are limits, for a message."""
    return " ".join(sorted(LANGUAGES))


RuleSet = Callable[[Page], Judged]
SETS: Mapping[str, tuple[RuleSet, ...]] = {
    "gopher": (gopher_repetition, gopher_quality),
    "gopher_quality": (gopher_quality,),
    "gopher_repetition": (gopher_repetition,),
    "c4": (c4,),
    "c4_all_lines": (c4_all_lines,),
    "fineweb_quality": (fineweb_quality,),
    "fineweb": (gopher_repetition, gopher_quality, c4_all_lines, fineweb_quality),
}
"""`fineweb` is the order in which FineWeb was made."""


def judge(text: str, sets: Sequence[str], language: str = ENGLISH) -> Judged:
    """The first verdict against a page among the named sets, or `KEEP`, and the text as the sets leave it."""
    page = Page(text, language)
    for name in sets:
        for rules in SETS[name]:
            verdict, left = rules(page)
            if not verdict.keep:
                return verdict, page.text
            page = page if left == page.text else Page(left, language)
    return KEEP, page.text

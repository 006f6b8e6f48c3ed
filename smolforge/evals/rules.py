"""Published rules by which a short written answer counts as right, each under its name.

A rule takes what is wanted and what was answered. Benchmarks differ in small things (articles, punctuation,
numbers inside words), and a score is comparable only under the rule it was published with.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from smolforge.errors import InputError
from smolforge.evals import math_answers

NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
LEADING_ARTICLES = re.compile(r"\b(?:The |the |An |A |a |an )")
HASH_NUMBER = re.compile(r"#### (-?[0-9.,]+)")
SPACE_OR_HYPHEN = re.compile(r"[ -]")
THE_ANSWER_IS = "the answer is "
UNANSWERABLE = ("", "unanswerable")


class Match(NamedTuple):
    """Whether an answer is right, and how near it is (0..1)."""

    exact: bool
    credit: float


Rule = Callable[[Any, str], Match]


def either(right: bool) -> Match:
    """All or nothing."""
    return Match(right, float(right))


def best(matches: Sequence[Match]) -> Match:
    """The better of each figure over several accepted answers, as the published scorers take them; nothing of none."""
    return Match(any(m.exact for m in matches), max((m.credit for m in matches), default=0.0))


def aliases_of(wanted: Any) -> list[str]:
    """Accepted answers: a list, or one text."""
    return [str(one) for one in wanted] if isinstance(wanted, list | tuple) else [str(wanted)]


# -- whole answers -------------------------------------------------------------------------------------


def verbatim(wanted: Any, answer: str) -> Match:
    """The same text but for space at the ends (BIG-Bench Hard)."""
    return either(answer.strip() in [alias.strip() for alias in aliases_of(wanted)])


def plain(wanted: Any, answer: str) -> Match:
    """Without capitals and punctuation, any alias; articles count (TriviaQA)."""
    return either(_plain(answer) in [_plain(alias) for alias in aliases_of(wanted)])


def plain_without_articles(wanted: Any, answer: str) -> Match:
    """The same without articles before a word (Natural Questions)."""
    return plain([LEADING_ARTICLES.sub("", a) for a in aliases_of(wanted)], LEADING_ARTICLES.sub("", answer))


def _plain(text: str) -> str:
    return text.strip().lower().translate(NO_PUNCTUATION)


def after_the_answer_is(wanted: Any, answer: str) -> Match:
    """What stands between the first "the answer is" and the last character of its line (BIG-Bench Hard with reasoning)."""
    _, found, rest = answer.partition(THE_ANSWER_IS)
    return verbatim(wanted, rest.splitlines()[0][:-1]) if found and rest.strip() else either(False)


def after_hashes(wanted: Any, answer: str) -> Match:
    """The first number after `####`, commas left out (GSM8K); without the mark the answer is wrong."""
    found = HASH_NUMBER.search(answer)
    return either(found is not None and _bare_number(found.group(1)) == _bare_number(str(wanted)))


def _bare_number(text: str) -> str:
    return text.strip().replace(",", "").replace("$", "").removesuffix(".")


def contains(wanted: Any, answer: str) -> Match:
    """Every wanted text stands in the answer, capitals aside; credit is the share that does (long-context retrieval)."""
    texts = aliases_of(wanted)
    share = sum(text.casefold() in answer.casefold() for text in texts) / max(1, len(texts))
    return Match(bool(texts) and share == 1.0, share)


# -- words in common -----------------------------------------------------------------------------------


def squad(wanted: Any, answer: str) -> Match:
    """SQuAD 2.0: exact and F1 of words, the best over the accepted answers.

    No accepted answer means the question has none: then an empty answer is right, and so is the word
    "unanswerable", which the worked examples of the text form teach.
    Source: Rajpurkar et al., arXiv:1806.03822, and the evaluation script published with it.
    """
    golds = [alias for alias in aliases_of(wanted) if squad_words(alias)]
    if not golds:
        return either(" ".join(squad_words(answer)) in UNANSWERABLE)
    return best([Match(squad_words(gold) == squad_words(answer), word_f1(gold, answer)) for gold in golds])


def coqa(wanted: Any, answer: str) -> Match:
    """CoQA: the first line, against all accepted answers but one, averaged over which one is left out.

    So a person and a model are measured alike: a person's answer is never compared with itself.
    Source: Reddy et al., arXiv:1808.07042, section 5.1.
    """
    golds, first = aliases_of(wanted), answer.strip().partition("\n")[0]
    folds = [golds[:i] + golds[i + 1 :] for i in range(len(golds))] if len(golds) > 1 else [golds]
    found = [
        best([Match(squad_words(gold) == squad_words(first), word_f1(gold, first)) for gold in fold])
        for fold in folds
    ]
    return Match(all(m.exact for m in found), sum(m.credit for m in found) / max(1, len(found)))


def squad_words(text: str) -> list[str]:
    """Words without capitals, punctuation and articles."""
    return ARTICLES.sub(" ", text.lower().translate(NO_PUNCTUATION)).split()


def word_f1(wanted: str, answer: str) -> float:
    """F1 of the words that two texts share, counted with repeats; two empty texts agree."""
    golds, given = squad_words(wanted), squad_words(answer)
    if not golds or not given:
        return float(golds == given)
    shared = (Counter(golds) & Counter(given)).total()
    return 2 * shared / (len(golds) + len(given))


def drop(wanted: Any, answer: str) -> Match:
    """DROP: accepted answers are lists of spans; numbers must agree before words count; the best over the answers.

    An answer is one span here. Its F1 with the span it fits best is divided by the number of spans, and rounded
    to two digits as the published scorer rounds it.
    Source: Dua et al., arXiv:1903.00161, section 5, and the evaluation script published with it.
    """
    given = drop_words(answer)
    return best([_drop_match(spans, given) for spans in wanted if spans and spans[0].strip()])


def _drop_match(spans: Sequence[str], given: str) -> Match:
    bag, golds = set(given.split()), [drop_words(span) for span in spans]
    found = max(_bag_f1(set(gold.split()), bag) for gold in golds)
    return Match(golds == [given], round(found / len(golds), 2))


def _bag_f1(gold: set[str], given: set[str]) -> float:
    numbers = {word for word in gold if _is_number(word)}
    if numbers and not numbers & given:
        return 0.0
    shared = len(gold & given)
    precision = shared / len(given) if given else 1.0
    recall = shared / len(gold) if gold else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def drop_words(text: str) -> str:
    """Words split at spaces and hyphens, numbers as decimals, others without punctuation and articles."""
    words = (_drop_word(word) for word in SPACE_OR_HYPHEN.split(text.lower()))
    return " ".join(word for word in words if word)


def _drop_word(word: str) -> str:
    if not _is_number(word):
        word = word.translate(NO_PUNCTUATION)
    if _is_number(word):
        word = str(float(word))
    return " ".join(ARTICLES.sub(" ", word).split())


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


# -- mathematics ---------------------------------------------------------------------------------------


def math_boxed(wanted: Any, answer: str) -> Match:
    """The last boxed expression, both sides through the MATH paper's normaliser."""
    given = math_answers.last_boxed(answer)
    return either(given is not None and math_answers.hendrycks(given) == math_answers.hendrycks(str(wanted)))


def math_final(wanted: Any, answer: str) -> Match:
    """What follows "The final answer is", both sides through Minerva's normaliser.

    Where lm-evaluation-harness asks a computer algebra system whether two forms are equal, the MATH paper's normaliser
    decides here: `\\dfrac12` is `\\frac{1}{2}`, but `2x+2` is not `2(x+1)`.
    """
    given = math_answers.final_answer(answer)
    if given is None:
        return either(False)
    first, second = math_answers.minerva(given), math_answers.minerva(str(wanted))
    return either(first == second or math_answers.hendrycks(first) == math_answers.hendrycks(second))


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        verbatim,
        plain,
        plain_without_articles,
        after_the_answer_is,
        after_hashes,
        contains,
        squad,
        coqa,
        drop,
        math_boxed,
        math_final,
    )
}


def rule_named(name: str, where: str) -> Rule:
    """The rule; `InputError` for a name there is not."""
    if name not in RULES:
        raise InputError(f"there is no rule `{name}` for answers", where=where, fix=f"use {sorted(RULES)}")
    return RULES[name]

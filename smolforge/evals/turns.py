"""A model's answers to questions of several turns, in chat form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from smolforge.evals.score import TokenCoder
from smolforge.evals.verdicts import OpenQuestion
from smolforge.language_model import LanguageModel, Sampling


def answer_turns(
    model: LanguageModel,
    tok: TokenCoder,
    questions: Sequence[OpenQuestion],
    answer_tokens: int,
    seed: int,
    told: Callable[[int, int], None] | None = None,
) -> list[list[str]]:
    """One answer a turn; each turn sees those before it. Questions of one temperature are answered together."""
    said: list[list[str]] = [[] for _ in questions]
    done, total = 0, sum(len(question.turns) for question in questions)
    for turn in range(max((len(question.turns) for question in questions), default=0)):
        asked = [question for question in questions if turn < len(question.turns)]
        for temperature in sorted({question.temperature for question in asked}):
            places = [
                place
                for place, question in enumerate(questions)
                if question.temperature == temperature and turn < len(question.turns)
            ]
            prompts = [_prompt(tok, questions[place], said[place]) for place in places]
            how = Sampling(max_new_tokens=answer_tokens, temperature=temperature, seed=seed + turn)

            def heard(count: int, before: int = done) -> None:
                if told is not None:
                    told(before + count, total)

            for place, ids in zip(places, model.generate(prompts, how, tok.end_ids, told=heard), strict=True):
                said[place].append(tok.decode(ids, skip_special=True).strip())
            done += len(places)
    return said


def _prompt(tok: TokenCoder, question: OpenQuestion, said: Sequence[str]) -> list[int]:
    """The conversation up to the turn that is to be answered."""
    messages = []
    for asked, answered in zip(question.turns, said, strict=False):
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    messages.append({"role": "user", "content": question.turns[len(said)]})
    return tok.encode_chat(messages, None, add_generation_prompt=True)[0]

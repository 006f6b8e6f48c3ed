"""Files of every kind the user may have, damaged ones among them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from smolforge.data.read.decoding import decode
from smolforge.data.read.documents import Document
from smolforge.data.read.found import Chat, Limits, Pair, Skipped
from smolforge.data.read.readers import is_benchmark
from smolforge.data.read.sources import folder_digest, folder_found, pydoc_modules, stdlib_files
from smolforge.errors import InputError

PROSE = "The river rises in the hills. It is short, but it never runs dry.\n"


def found_in(folder: Path, **how) -> list:
    return list(folder_found(folder, **how))


def documents(folder: Path) -> dict[str, Document]:
    return {d.id: d for d in found_in(folder) if isinstance(d, Document)}


def reasons(folder: Path) -> dict[str, str]:
    return {s.where: s.reason for s in found_in(folder) if isinstance(s, Skipped)}


def jsonl(path: Path, *rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_each_kind_of_file_gets_its_kind_and_domain(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html><body><p>Hello</p></body></html>")
    (tmp_path / "notes.md").write_text("# Notes\n\n" + PROSE)
    (tmp_path / "tale.txt").write_text(PROSE)
    (tmp_path / "tool.py").write_text("print('hello')\n")
    (tmp_path / "maths").mkdir()
    (tmp_path / "maths" / "sums.txt").write_text("Two and two make four.\n")
    (tmp_path / "proof.tex").write_text(
        r"Let $x \in A$. Then $\frac{x}{2} \le \sqrt{x}$ and $x \cdot 2$." * 20
    )
    with gzip.open(tmp_path / "more.txt.gz", "wt") as file:
        file.write(PROSE)
    found = documents(tmp_path)
    assert {name: (d.kind, d.domain) for name, d in found.items()} == {
        "page.html": ("html", "web"),
        "notes.md": ("markdown", "prose"),
        "tale.txt": ("text", "prose"),
        "more.txt.gz": ("text", "prose"),
        "tool.py": ("code", "code"),
        "maths/sums.txt": ("text", "mathematics"),
        "proof.tex": ("text", "mathematics"),
    }
    assert found["tool.py"].meta["lang"] == "python"


def test_records_are_recognised_by_their_fields(tmp_path: Path) -> None:
    jsonl(
        tmp_path / "mixed.jsonl",
        {"text": PROSE},
        {"html": "<p>Hi</p>", "url": "https://a.example/x"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]},
        {"instruction": "Add", "input": "1 and 2", "output": "3"},
        {"prompt": "Say hi", "chosen": "Hi!", "rejected": "No."},
        {"chosen": "\n\nHuman: Hi\n\nAssistant: Yes", "rejected": "\n\nHuman: Hi\n\nAssistant: No"},
        {"messages": [{"role": "user", "content": "Nobody answers"}]},
        {"label": 3},
    )
    found = found_in(tmp_path)
    assert [type(f) for f in found] == [Document, Document, Chat, Chat, Chat, Pair, Pair, Skipped, Skipped]
    assert found[1].domain == "web"
    assert found[3].row["messages"][1] == {"role": "assistant", "content": "Hello."}
    assert found[4].row["messages"][0]["content"] == "Add\n\n1 and 2"
    assert found[6].row["messages"] == [{"role": "user", "content": "Hi"}]
    assert (found[6].row["chosen"], found[6].row["rejected"]) == ("Yes", "No")


def test_tool_calls_survive(tmp_path: Path) -> None:
    call = {"function": {"name": "clock", "arguments": '{"zone": "UTC"}'}}
    turns = [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "12:00"},
        {"role": "assistant", "content": "It is noon."},
    ]
    jsonl(tmp_path / "a.jsonl", {"messages": turns, "tools": [{"name": "clock"}]})
    (chat,) = found_in(tmp_path)
    assert chat.row["messages"][1]["tool_calls"] == [{"name": "clock", "arguments": {"zone": "UTC"}}]
    assert chat.row["tools"] == [{"name": "clock"}]


def test_parquet_rows_are_read_like_json(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [PROSE, "Second."]}), tmp_path / "a.parquet")
    assert [d.text for d in found_in(tmp_path)] == [PROSE, "Second."]


def test_damage_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one one one"}\n{"text": \n\xff\xfe\n{"text": "two"}\n')
    (tmp_path / "b.bin").write_bytes(b"\x7fELF\x00\x00\x01")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    assert [d.text for d in documents(tmp_path).values()] == ["one one one", "two"]
    assert reasons(tmp_path) == {
        "a.jsonl:2": "not JSON",
        "a.jsonl:3": "not JSON",
        "b.bin": "binary file",
        "empty.txt": "empty file",
        "gone.txt": "broken link",
    }


def test_a_gzip_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    rows = b"".join(json.dumps({"text": f"line {i} " + "x" * (i % 97)}).encode() + b"\n" for i in range(5000))
    whole = gzip.compress(rows)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    found = found_in(tmp_path)
    assert isinstance(found[-1], Skipped) and found[-1].reason == "damaged file"
    assert 100 < len(found) < 5000


@pytest.mark.parametrize("name", ["a.parquet", "a.warc", "a.warc.gz", "a.jsonl.gz", "a.txt.gz"])
def test_a_wholly_unreadable_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is not what the name says" * 10)
    with pytest.raises(InputError) as error:
        found_in(tmp_path)
    assert error.value.where == name and error.value.fix


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl.gz", b"no gzip"),
        ("a.html.gz", b"<html>"),
        ("a.parquet", b"PAR1 nothing PAR1"),
        ("a.txt.gz", b"\x1f\x8b\x08"),
    ],
)
def test_one_unreadable_file_is_left_out_and_the_rest_is_read(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.txt").write_text(PROSE)
    assert reasons(tmp_path) == {name: "unreadable file"} and set(documents(tmp_path)) == {"good.txt"}


def test_json_that_python_cannot_hold_is_one_skipped_record(tmp_path: Path) -> None:
    """A number of thousands of digits, brackets without end; in a file of lines, a whole file, a notebook."""
    for row, name in (('{"text": "a", "id": %s}' % ("7" * 5000), "number"), ("[" * 100_000, "deep")):
        (tmp_path / f"{name}.jsonl").write_text(f'{row}\n{{"text": "{PROSE.strip()}"}}\n')
        (tmp_path / f"{name}.json").write_text(row)
        (tmp_path / f"{name}.ipynb").write_text(row)
    assert reasons(tmp_path) == {
        f"{name}.{kind}": "not JSON" for name in ("number", "deep") for kind in ("jsonl:1", "json", "ipynb")
    }
    assert set(documents(tmp_path)) == {"number.jsonl:2", "deep.jsonl:2"}


def test_half_surrogate_pairs_become_replacement_characters_everywhere(tmp_path: Path) -> None:
    """JSON can spell what UTF-8 cannot hold: in turns, arguments, answers, names of fields and texts."""
    half, call = "hi \ud83d", {"name": "f", "arguments": {"a\udc00": "b\ud800"}}
    turns = [
        {"role": "user", "content": half},
        {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
        {"role": "tool", "content": half},
        {"role": "assistant", "content": half},
    ]
    jsonl(
        tmp_path / "all.jsonl",
        {"messages": turns},
        {"prompt": half, "chosen": half, "rejected": "no \udfff"},
        {"text": half},
    )
    found = found_in(tmp_path)
    assert [type(one) for one in found] == [Chat, Pair, Document]
    for one in found:
        plain = json.dumps(one.row if not isinstance(one, Document) else one.text, ensure_ascii=False)
        assert plain.encode() and "\ufffd" in plain
    jsonl(tmp_path / "all.jsonl", {"text": "a pair \ud83d\ude00 is whole"})
    assert [one.text for one in found_in(tmp_path)] == ["a pair \U0001f600 is whole"]


def test_names_that_are_no_utf8_are_shown_with_a_replacement_and_stay_apart(tmp_path: Path) -> None:
    for number, name in enumerate((b"caf\xe9.txt", b"caf\xe8.txt", b"\xff")):
        try:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(f"{PROSE} {number}")
        except OSError:
            pytest.skip("this file system takes no such names")
    found = documents(tmp_path)
    assert len(found) == 3 and all(name.encode() and "\ufffd" in name for name in found)
    assert sum(name.startswith("caf\ufffd-") and name.endswith(".txt") for name in found) == 2
    before = folder_digest(tmp_path)
    next(tmp_path.iterdir()).write_text("other")
    assert folder_digest(tmp_path) != before


def test_parquet_columns_that_nobody_asks_for_are_never_converted(tmp_path: Path) -> None:
    """Nanoseconds that are no whole microsecond cannot be held by Python, on their own or in a struct."""
    moment = pa.array([1_234_567_891, 2_000], pa.timestamp("ns"))
    pq.write_table(pa.table({"text": [PROSE, PROSE], "when": moment}), tmp_path / "plain.parquet")
    inner = pa.StructArray.from_arrays([moment], names=["when"])
    pq.write_table(pa.table({"text": [PROSE, PROSE], "meta": inner}), tmp_path / "nested.parquet")
    assert set(documents(tmp_path)) == {
        f"{name}.parquet:{row}" for name in ("plain", "nested") for row in (1, 2)
    }
    assert reasons(tmp_path) == {}


@pytest.mark.parametrize("packing", ["snappy", "zstd", "none"])
def test_a_damaged_parquet_page_is_one_unreadable_file(tmp_path: Path, packing: str) -> None:
    file = tmp_path / "rows.parquet"
    rows = [f"{PROSE} {number * 7919}" for number in range(2_000)]
    pq.write_table(
        pa.table({"text": rows}), file, compression=packing, use_dictionary=False, write_statistics=False
    )
    data = bytearray(file.read_bytes())
    data[200:2_000] = bytes(255 - one for one in data[200:2_000])
    file.write_bytes(data)
    (tmp_path / "good.txt").write_text(PROSE)
    told = set(reasons(tmp_path).values())
    assert told <= {"unreadable file", "damaged file"} and "good.txt" in documents(tmp_path)


def test_missing_empty_and_wrong_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError):
            found_in(path)
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(InputError, match="this is a file, not a folder"):
        found_in(tmp_path / "file.txt")


def test_loops_hidden_folders_and_environments_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    for folder in (".git", "node_modules", "my-env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "b.txt").write_text(PROSE)
    (tmp_path / "my-env" / "pyvenv.cfg").write_text("")
    assert list(documents(tmp_path)) == ["a.txt"]


def test_benchmarks_are_never_training_data(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    jsonl(tmp_path / "benchmarks" / "x.jsonl", {"question": "Q?", "answer": "A"})
    jsonl(tmp_path / "test.jsonl", {"text": "held"})
    (tmp_path / "test_tool.py").write_text("def test(): pass\n")
    assert list(documents(tmp_path)) == ["test_tool.py"]
    held = [f for f in found_in(tmp_path, benchmarks=True) if not isinstance(f, Skipped)]
    assert len(held) == 2
    assert (
        is_benchmark("a/Benchmarks/b.txt")
        and is_benchmark("dev.json.gz")
        and not is_benchmark("latest.jsonl")
    )


def test_long_records_are_skipped_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "' + "x" * 5000 + '"}\n{"text": "short"}\n')
    (tmp_path / "b.jsonl").write_text('{"html": "<p>' + "x" * 1500 + '"}\n')
    found = found_in(tmp_path, limits=Limits(text_bytes=1000, record_bytes=2000))
    told = [getattr(f, "reason", None) or f.text for f in found]
    assert told == ["record too long", "short", "record too long"]


def book(chapters: int, paragraph: str = PROSE * 20) -> str:
    return "".join(f"Chapter {n}\n\n" + (paragraph + "\n") * 15 for n in range(1, chapters + 1))


def compressed(data: bytes, ending: str) -> bytes:
    if ending == ".zst":
        return bytes(pa.compress(data, codec="zstd", asbytes=True))
    return {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[ending](data)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_files_are_read_and_damaged_ones_named(tmp_path: Path, ending: str) -> None:
    rows = "".join(json.dumps({"text": f"text {n} {PROSE}"}) + "\n" for n in range(300))
    (tmp_path / f"a.jsonl{ending}").write_bytes(compressed(rows.encode(), ending))
    (tmp_path / f"b.txt{ending}").write_bytes(compressed(PROSE.encode(), ending))
    (tmp_path / f"c.json{ending}").write_bytes(compressed(json.dumps([{"text": "x"}]).encode(), ending))
    found = documents(tmp_path)
    assert len(found) == 302 and found[f"b.txt{ending}"].text == PROSE
    for name in ("a.jsonl", "b.txt", "c.json"):
        file = tmp_path / f"{name}{ending}"
        file.write_bytes(file.read_bytes()[:20])
    (tmp_path / "good.txt").write_text(PROSE)
    assert "good.txt" in documents(tmp_path) and len(reasons(tmp_path)) == 3


@pytest.mark.parametrize("name", ["book.txt", "book.txt.gz", "book.md", "book.jsonl"])
def test_a_book_is_read_to_its_end_and_cut_at_chapters(tmp_path: Path, name: str) -> None:
    text = book(250)  # 5 MB: more than any page may have
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".jsonl"):
        jsonl(tmp_path / name, {"text": text})
    else:
        (tmp_path / name).write_text(text)
    found = documents(tmp_path)
    assert "".join(one.text for one in found.values()) == text
    assert all(one.text.startswith("Chapter ") for one in found.values())
    assert max(len(one.text) for one in found.values()) <= 100_000
    first = next(iter(found.values()))
    assert first.id.endswith("#1") and first.url.endswith("#1") and first.domain == "prose"
    assert not reasons(tmp_path)


def test_a_text_of_forty_pages_stays_whole(tmp_path: Path) -> None:
    text = book(4)[:100_000]
    (tmp_path / "a.txt").write_text(text)
    assert [(one.id, one.text) for one in documents(tmp_path).values()] == [("a.txt", text)]


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("One sentence follows another here. " * 9000, "One "),
        ("word " * 60_000, "word "),
        ("字" * 300_000, "字"),
        ("A line of verse\n" * 20_000, "A line"),
    ],
)
def test_a_text_without_chapters_is_cut_at_the_next_best_place(
    tmp_path: Path, text: str, begins: str
) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    found = [one.text for one in documents(tmp_path).values()]
    assert "".join(found) == text and len(found) > 2
    assert all(one.startswith(begins) for one in found)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_a_book_keeps_its_encoding_over_blocks(tmp_path: Path, encoding: str) -> None:
    text = book(120, "Größe und Übermut, schöne Straße, ein Mädchen. " * 20)
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert "".join(one.text for one in documents(tmp_path).values()) == text


def test_a_source_file_of_many_megabytes_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n" * 1000)
    (tmp_path / "b.html").write_text("<html>" + "<p>x</p>" * 1000)
    found = found_in(tmp_path, limits=Limits(text_bytes=2000))
    assert [one.reason for one in found] == ["source file too long", "page too long"]


def test_an_array_larger_than_any_record_is_read_element_by_element(tmp_path: Path) -> None:
    rows = [{"text": f'text {n}, with a bracket ] and a quote " ' + "x" * 200} for n in range(5000)]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    found = found_in(tmp_path, limits=Limits(record_bytes=100_000))
    assert [one.text for one in found] == [row["text"] for row in rows]
    assert found[-1].id == "a.json:5000"


@pytest.mark.parametrize(
    ("tail", "told"),
    [("{broken", "rest of a damaged array"), ('{"text": "' + "x" * 200_000, "rest of a damaged array")],
)
def test_a_large_array_that_breaks_keeps_what_was_whole(tmp_path: Path, tail: str, told: str) -> None:
    rows = ",".join(json.dumps({"text": f"text {n} " + "x" * 100}) for n in range(2000))
    (tmp_path / "a.json").write_text(f"[{rows},{tail}")
    *whole, last = found_in(tmp_path, limits=Limits(record_bytes=100_000))
    assert len(whole) == 2000 and last == Skipped("a.json:2001", told)


def test_a_large_json_file_that_is_no_array_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"text": "' + "x" * 5000 + '"}')
    (tmp_path / "b.json").write_text("[" * 5000)
    (tmp_path / "c.txt").write_text(PROSE)
    found = found_in(tmp_path, limits=Limits(record_bytes=2000))
    assert [getattr(one, "reason", "") for one in found] == ["record too long", "record too long", ""]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße aus Köln, schöne Straße".encode("latin-1"), "Grüße aus Köln, schöne Straße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        (b"\xef\xbb\xbfplain", "plain"),
    ],
)
def test_encodings(data: bytes, text: str) -> None:
    assert decode(data) == text


@pytest.mark.parametrize("declared", ["undefined", "idna", "punycode", "rot13", "no-such-set"])
def test_charsets_that_are_none_are_guessed(declared: str) -> None:
    text = "Grüße aus Köln, schöne Straße, größere Bäume"
    assert decode(text.encode("latin-1"), declared) == text


def test_undecodable_bytes_never_fail() -> None:
    assert isinstance(decode(bytes(range(256)), "no-such-encoding"), str)


def test_folder_digest_sees_contents_not_times(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    before = folder_digest(tmp_path)
    (tmp_path / "a.txt").touch()
    assert folder_digest(tmp_path) == before
    (tmp_path / "a.txt").write_text("two")
    assert folder_digest(tmp_path) != before


def test_pydoc_modules_are_safe_and_in_order() -> None:
    names = pydoc_modules()
    assert names == pydoc_modules() and "textwrap" in names and "json.decoder" in names
    assert not {"antigravity", "this", "turtle"} & set(names)
    assert not any(name.startswith(("tkinter", "idlelib", "test")) for name in names)


def test_stdlib_files_are_bounded_and_hold_no_tests() -> None:
    files = list(stdlib_files(max_bytes=500_000))
    assert 300_000 < sum(len(f.text.encode()) for f in files) <= 500_000
    assert all("/test" not in f.id and "site-packages" not in f.id for f in files)
    assert [f.id for f in files] == sorted(f.id for f in files) or len({f.id for f in files}) == len(files)


def captured(count: int, gzipped: bool) -> bytes:
    """A WARC of so many pages, its records packed one by one or not at all."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=gzipped)
    for number in range(count):
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
        page = io.BytesIO(f"<html><body><p>{PROSE * 20}{number}</p></body></html>".encode())
        address = f"http://x.example/{number}"
        writer.write_record(writer.create_warc_record(address, "response", payload=page, http_headers=head))
    return out.getvalue()


@pytest.mark.parametrize("packing", ["record by record", "whole", "whole, twice", "not at all"])
def test_captures_are_read_however_they_were_packed(tmp_path: Path, packing: str) -> None:
    """`gzip a.warc` makes one member of all records: a common mistake, of which one record was read."""
    data = {
        "record by record": lambda: captured(30, True),
        "whole": lambda: gzip.compress(captured(30, False)),
        "whole, twice": lambda: gzip.compress(captured(15, False)) * 2,
        "not at all": lambda: captured(30, False),
    }[packing]()
    (tmp_path / ("a.warc" if packing == "not at all" else "a.warc.gz")).write_bytes(data)
    assert len(documents(tmp_path)) == 30 and reasons(tmp_path) == {}


# -- forms that others write ---------------------------------------------------------------------------


def parquet(path: Path, **columns) -> None:
    pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize("name", ["Text", "TEXT", "document", "raw_content", "Story"])
def test_a_text_is_found_by_the_names_others_give_it(tmp_path: Path, name: str) -> None:
    parquet(tmp_path / "a.parquet", **{name: [PROSE]})
    jsonl(tmp_path / "b.jsonl", {name: PROSE})
    assert [d.text for d in documents(tmp_path).values()] == [PROSE, PROSE]


def test_bytes_in_a_text_column_are_text(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", text=pa.array([PROSE.encode()], pa.binary()))
    assert documents(tmp_path)["a.parquet:1"].text == PROSE


def test_only_columns_that_are_asked_for_are_read(tmp_path: Path) -> None:
    """An image column, and stamps of time that Python cannot hold, beside and inside what is asked for."""
    stamp = pa.array([1234567891], pa.timestamp("ns"))
    said = {"role": "user", "content": "Hi", "at": 1234567891}
    turn = pa.struct([("role", pa.string()), ("content", pa.string()), ("at", pa.timestamp("ns"))])
    answer = {"role": "assistant", "content": "Hello.", "at": 1234567891}
    parquet(tmp_path / "a.parquet", text=[PROSE], image=[b"\x00" * 1000], at=stamp)
    parquet(tmp_path / "b.parquet", messages=pa.array([[said, answer]], pa.list_(turn)), at=stamp)
    found = found_in(tmp_path)
    assert [type(one) for one in found] == [Document, Chat]
    assert [turn["content"] for turn in found[1].row["messages"]] == ["Hi", "Hello."]


def test_a_table_without_text_says_which_columns_it_has(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", height=[1, 2], label=["x", "y"])
    (tmp_path / "b.csv").write_text("height,label\n1,x\n")
    (tmp_path / "c.txt").write_text(PROSE)
    said = {s.where: s.why for s in found_in(tmp_path) if isinstance(s, Skipped)}
    there = "no column holds a text or a chat; there are height, label"
    assert said == {"a.parquet": there, "b.csv": there}


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv", ";")])
def test_a_table_of_texts_is_read_row_by_row(tmp_path: Path, name: str, separator: str) -> None:
    rows = ["id", "text"], ["1", f'"{PROSE.strip()} ""Yes"", he said.\nAnd more."'], ["2", "Short."]
    (tmp_path / name).write_text("".join(separator.join(row) + "\n" for row in rows))
    found = documents(tmp_path)
    assert [d.text for d in found.values()] == [f'{PROSE.strip()} "Yes", he said.\nAnd more.', "Short."]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes((PROSE * 5).encode(encoding))
    first = json.dumps({"text": "Grüße aus Köln"}, ensure_ascii=False)
    lines = first + "\n" + json.dumps({"text": PROSE}) + "\n"
    (tmp_path / "b.jsonl").write_bytes(lines.encode(encoding))
    assert [d.text for d in documents(tmp_path).values()] == [PROSE * 5, "Grüße aus Köln", PROSE]


def test_bytes_with_zeros_are_still_binary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "b.txt").write_text(PROSE)
    assert reasons(tmp_path) == {"a.txt": "binary file"}


@pytest.mark.parametrize(
    ("name", "text", "domain"),
    [
        ("mathilda.txt", PROSE, "prose"),
        ("mathieu/diary.txt", PROSE, "prose"),
        ("maths-2/a.txt", PROSE, "mathematics"),
        ("code/README.txt", PROSE, "prose"),
        ("src/notes.md", PROSE, "prose"),
        ("src/Makefile", "all:\n\tcc a.c\n", "code"),
        ("prices.txt", "It costs $5 and then $6 or $7, sometimes US$8-$9. " * 50, "prose"),
        ("algebra.txt", "If $x+1$ is even then $x$ is odd. " * 50, "mathematics"),
    ],
)
def test_domains_are_told_by_what_is_meant(tmp_path: Path, name: str, text: str, domain: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert documents(tmp_path)[name].domain == domain


def test_a_file_that_unpacks_without_end_is_stopped(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("smolforge.data.read.compressed.ALWAYS_ALLOWED_BYTES", 1 << 20)
    with gzip.open(tmp_path / "bomb.txt.gz", "wt") as file:
        file.write("All work and no play makes a dull text. " * 600_000)
    with gzip.open(tmp_path / "book.txt.gz", "wt") as file:
        file.write(PROSE)
    found = found_in(tmp_path)
    size = (tmp_path / "bomb.txt.gz").stat().st_size
    assert sum(len(d.text) for d in found if isinstance(d, Document)) < 200 * size
    assert [s.why for s in found if isinstance(s, Skipped)] == [
        "cannot read this file: it unpacks to more than 200 times its size"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may look into every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE)
    (tmp_path / "closed").mkdir(mode=0)
    assert reasons(tmp_path) == {"closed": "folder cannot be listed"}


# -- XML -----------------------------------------------------------------------------------------------

JATS = """<?xml version="1.0"?><article xmlns:mml="http://www.w3.org/1998/Math/MathML"><front><journal-meta><journal-title>J
</journal-title></journal-meta><article-meta><title-group><article-title>On halves</article-title></title-group></article-meta>
</front><body><sec><title>Start</title><p>Take <mml:math><mml:mfrac><mml:mi>a</mml:mi><mml:mi>b</mml:mi></mml:mfrac></mml:math>
<xref>1</xref>and <inline-formula><tex-math>x^2</tex-math></inline-formula>.</p><sec><title>Deeper</title><p>End.</p></sec></sec>
</body><back><ref-list><ref>Nobody 1999</ref></ref-list></back></article>"""
TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><title>About</title></teiHeader><text><body><div><head>Song</head>
<lg><l>Line one,</l><l>line two.</l></lg><p>In <hi>prose</hi><note>gone</note> too.</p></div></body></text></TEI>"""
WIKI = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/"><page><title>Foo</title><ns>0</ns><revision><text>'''Foo''' is a
[[bar|thing]], &lt;math&gt;x^2&lt;/math&gt;.&lt;ref&gt;Me&lt;/ref&gt;{{cite}}
== Head ==
* one
[[Category:X]]</text></revision></page><page><title>Talk:Foo</title><ns>1</ns><revision><text>No.</text></revision></page>
<page><title>Bar</title><ns>0</ns><redirect title="Foo"/><revision><text>#REDIRECT [[Foo]]</text></revision></page></mediawiki>"""


def test_articles_and_books_in_xml_keep_headings_verse_and_formulas(tmp_path: Path) -> None:
    (tmp_path / "a.nxml").write_text(JATS)
    (tmp_path / "b.xml").write_text(TEI)
    (tmp_path / "c.xml").write_text("<feed><entry>No</entry></feed>")
    (tmp_path / "d.xml").write_text(JATS[: len(JATS) // 2])
    found = documents(tmp_path)
    assert found["a.nxml"].text == (
        "# On halves\n\n## Start\n\nTake $\\frac{a}{b}$ and $x^2$.\n\n### Deeper\n\nEnd."
    )
    assert found["b.xml"].text == "## Song\n\nLine one,\nline two.\n\nIn prose too."
    assert reasons(tmp_path) == {"c.xml": "XML of another kind", "d.xml": "unreadable file"}


def test_an_entity_of_a_strangers_xml_is_not_resolved(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    outside = f'<!DOCTYPE article [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'
    (tmp_path / "a.xml").write_text(f"{outside}<article><body><p>Hi &x; there</p></body></article>")
    assert "secret" not in documents(tmp_path)["a.xml"].text


def test_a_dump_of_mediawiki_is_read_article_by_article(tmp_path: Path) -> None:
    pytest.importorskip("mwparserfromhell")
    with bz2.open(tmp_path / "dump.xml.bz2", "wt") as file:
        file.write(WIKI)
    text = "# Foo\n\nFoo is a\nthing, $x^2$.\n\n## Head\n\n- one"
    assert {name: d.text for name, d in documents(tmp_path).items()} == {"dump.xml.bz2#1": text}


# -- captures ------------------------------------------------------------------------------------------

PAGE = f"<html><body><p>Größe und mehr. {PROSE}</p></body></html>"


def capture(body: bytes, *headers: str, target: str = "http://a.example/") -> bytes:
    """One record of a WARC file."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/html", *headers, f"Content-Length: {len(body)}", "", ""]
    content = "\r\n".join(lines).encode() + body
    head = [
        "WARC/1.0", "WARC-Type: response", f"WARC-Target-URI: {target}", "WARC-Date: 2020-01-01T00:00:00Z",
        "WARC-Record-ID: <urn:uuid:0>", "Content-Type: application/http; msgtype=response",
        f"Content-Length: {len(content)}", "", "",
    ]  # fmt: skip
    return "\r\n".join(head).encode() + content + b"\r\n\r\n"


def packed(data: bytes, how: str) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, how) as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize("ending", [".zst", ".bz2", ".xz"])
def test_captures_packed_otherwise_than_by_gzip_are_read(tmp_path: Path, ending: str) -> None:
    data = capture(PAGE.encode())
    pack = {".zst": lambda data: packed(data, "zstd"), ".bz2": bz2.compress, ".xz": lzma.compress}[ending]
    (tmp_path / f"a.warc{ending}").write_bytes(pack(data))
    assert [d.text for d in documents(tmp_path).values()] == [PAGE]


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (packed(PAGE.encode(), "brotli"), "Content-Encoding: br"),
        (packed(PAGE.encode(), "zstd"), "Content-Encoding: zstd"),
        (PAGE.encode(), "Content-Encoding: br"),
    ],
)
def test_pages_are_unpacked_as_their_headers_say(tmp_path: Path, body: bytes, header: str) -> None:
    (tmp_path / "a.warc").write_bytes(capture(body, header))
    assert [d.text for d in documents(tmp_path).values()] == [PAGE]


def test_what_a_crawler_says_of_itself_is_no_text(tmp_path: Path) -> None:
    own = capture(b"--warc-file=x", target="metadata://gnu.org/software/wget/warc/wget_arguments.txt")
    (tmp_path / "a.warc").write_bytes(capture(PAGE.encode()) + own)
    assert [d.text for d in documents(tmp_path).values()] == [PAGE]
    assert list(reasons(tmp_path).values()) == ["record about the capture itself"]

"""Books, papers and word processors' files as documents: PDF, EPUB, DOCX, ODT, damaged and hostile ones among them."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from smolforge.data.read import office, pdf
from smolforge.data.read.documents import Document
from smolforge.data.read.found import Skipped
from smolforge.data.read.sources import folder_found

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"


def archive(members: Mapping[str, str]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in members.items():
            out.writestr(name, text)
    return whole.getvalue()


def docx(body: str, styles: str = "") -> bytes:
    return archive(
        {
            "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>',
            "word/styles.xml": f'<w:styles xmlns:w="{W}">{styles}</w:styles>',
        }
    )


def paragraph(text: str, style: str = "", extra: str = "") -> str:
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{extra}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def odt(body: str) -> bytes:
    spaces = f'xmlns:office="{OFFICE}" xmlns:text="{TEXT}" xmlns:table="{TABLE}"'
    return archive(
        {
            "content.xml": f"<office:document-content {spaces}><office:body><office:text>{body}</office:text></office:body></office:document-content>"
        }
    )


def epub(chapters: Sequence[str], order: Sequence[int]) -> bytes:
    items = "".join(f'<item id="c{n}" href="text/chapter%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in order)
    container = (
        '<container xmlns="x"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    return archive(
        {
            "META-INF/container.xml": container,
            "OEBPS/book.opf": f'<package xmlns="y"><manifest>{items}</manifest><spine>{spine}</spine></package>',
            **{f"OEBPS/text/chapter {n}.xhtml": text for n, text in enumerate(chapters)},
        }
    )


def made_pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF of a few lines a page, as plain as the format allows."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in pages:
        shown = " T* ".join(f"({line}) Tj" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 60 740 Td {shown} ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(len(objects) + 1)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in kids)}] /Count {len(kids)} >>"
    out, places = "%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    count = len(objects) + 1
    return (
        f"{out}xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n"
        f"startxref\n{len(out)}\n%%EOF\n"
    ).encode("latin-1")


def found_in(folder: Path) -> list[Document | Skipped]:
    return list(folder_found(folder))  # type: ignore[arg-type]


def the_text(folder: Path) -> str:
    (only,) = found_in(folder)
    assert isinstance(only, Document), only
    return only.text


def test_a_docx_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    styles = '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
    numbered = "<w:numPr/>"
    row = "<w:tr><w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc></w:tr>"
    body = (
        paragraph("Rivers", "berschrift2")
        + paragraph("The Elbe is</w:t><w:tab/><w:t> long.")
        + paragraph("first", extra=numbered)
        + paragraph("second", extra=numbered)
        + f"<w:tbl>{row.format('name', 'km')}{row.format('Elbe', '1094')}</w:tbl>"
        + "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    (tmp_path / "a.docx").write_bytes(docx(body, styles))
    assert (
        the_text(tmp_path) == "## Rivers\n\nThe Elbe is long.\n\n- first\n- second\n\nname | km\nElbe | 1094"
    )


def test_an_odt_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    body = (
        '<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h text:outline-level="1">Rivers</text:h>'
        "<text:p>The <text:span>Elbe</text:span> is<text:s/>long<text:note><text:p>a note</text:p></text:note>.</text:p>"
        "<text:list><text:list-item><text:p>first</text:p></text:list-item><text:list-item><text:p>second</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>name</text:p></table:table-cell>"
        "<table:table-cell><text:p>km</text:p></table:table-cell></table:table-row></table:table>"
    )
    (tmp_path / "a.odt").write_bytes(odt(body))
    assert the_text(tmp_path) == "# Rivers\n\nThe Elbe is long.\n\n- first\n- second\n\nname | km"


def test_an_epub_is_read_in_the_order_of_its_chapters(tmp_path: Path) -> None:
    chapters = [f"<html><body><h1>Part {n}</h1><p>Text {n}.</p></body></html>" for n in range(3)]
    (tmp_path / "a.epub").write_bytes(epub(chapters, (2, 0, 1)))
    text = the_text(tmp_path)
    assert [line for line in text.splitlines() if line.startswith("Text")] == [
        "Text 2.",
        "Text 0.",
        "Text 1.",
    ]
    assert "# Part 2" in text


def test_a_chapter_that_is_missing_costs_only_itself(tmp_path: Path) -> None:
    whole = epub([f"<html><body><p>Text {n}.</p></body></html>" for n in range(2)], (0, 1))
    left = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(left, "w") as new:
        for name in old.namelist():
            if not name.endswith("0.xhtml"):
                new.writestr(name, old.read(name))
    (tmp_path / "a.epub").write_bytes(left.getvalue())
    skipped, read = found_in(tmp_path)
    assert (
        isinstance(skipped, Skipped) and skipped.reason == "missing chapter" and "chapter 0" in skipped.where
    )
    assert isinstance(read, Document) and read.text == "Text 1."


def test_a_long_book_becomes_parts(tmp_path: Path) -> None:
    chapter = (
        "<html><body><h1>Chapter</h1>"
        + "".join(f"<p>On day {n} it rained all day long in the hills.</p>" for n in range(400))
        + "</body></html>"
    )
    (tmp_path / "a.epub").write_bytes(
        epub([chapter.replace("rained", f"rained {n} times") for n in range(20)], range(20))
    )
    found = found_in(tmp_path)
    assert len(found) > 3 and all(isinstance(one, Document) for one in found)


def test_a_pdf_becomes_paragraphs_without_what_stands_on_every_page(tmp_path: Path) -> None:
    pages = [
        [
            "Journal of Rivers",
            f"{n}.1 {name} of the hills",
            "This line of the first paragraph is as long as the lines of a page are, and it is con-",
            "tinued on the next one, which is as long as the lines of a page are, until it ends just",
            "here.",
            "Another paragraph begins with a line that is as long as the lines of this page, and it",
            f"ends over the page of {name}.",
            str(n),
        ]
        for n, name in enumerate(("Springs", "Brooks", "Streams", "Mouths"), start=1)
    ]
    (tmp_path / "a.pdf").write_bytes(made_pdf(pages))
    text = the_text(tmp_path)
    assert "Journal" not in text and "con-" not in text
    first = text.split("\n\n")
    assert first[0] == "1.1 Springs of the hills"
    assert (
        first[1].startswith("This line")
        and "it is continued on" in first[1]
        and first[1].endswith("just here.")
    )
    assert first[2].endswith("ends over the page of Springs.")


def test_contents_and_bullets_of_a_pdf() -> None:
    long = "a line of text that goes on for as long as lines of this page usually do, and then on"
    page = "\n".join(["1 Rivers . . . . . . . . 3", long, "and ends.", "• one", "• two", long, "it ends."])
    assert pdf.paragraphs([page]) == f"{long} and ends.\n\n• one\n• two\n\n{long} it ends."
    assert pdf.paragraphs([]) == pdf.paragraphs(["", "\n"]) == ""


def test_a_pdf_of_pictures_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(made_pdf([[], []]))
    (tmp_path / "b.txt").write_text("words")
    skipped, _ = found_in(tmp_path)
    assert isinstance(skipped, Skipped) and "pictures" in skipped.why


def test_one_damaged_file_of_each_kind_costs_only_itself(tmp_path: Path) -> None:
    whole = {
        "a.docx": docx(paragraph("words")),
        "a.odt": odt("<text:p>words</text:p>"),
        "a.epub": epub(["<html><body><p>words</p></body></html>"], [0]),
        "a.pdf": made_pdf([["words"]]),
    }
    draw = random.Random(1)
    for name, data in whole.items():
        suffix = name.partition(".")[2]
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"half.{suffix}").write_bytes(data[: len(data) // 2])
        (tmp_path / f"noise.{suffix}").write_bytes(draw.randbytes(500))
        (tmp_path / f"other.{suffix}").write_bytes(archive({"x": "y"}))
    found = found_in(tmp_path)
    read = {one.id for one in found if isinstance(one, Document)}
    assert set(whole) <= read
    skipped = {one.where: one for one in found if isinstance(one, Skipped)}
    for suffix in ("docx", "odt", "epub", "pdf"):
        assert f"noise.{suffix}" in skipped and f"other.{suffix}" in skipped
        assert skipped[f"noise.{suffix}"].why
    assert {"half.docx", "half.odt", "half.epub"} <= set(skipped)


def test_fuzzed_archives_never_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("words")
    draw = random.Random(2)
    made = {
        "docx": docx(paragraph("words")),
        "odt": odt("<text:p>words</text:p>"),
        "epub": epub(["<p>words</p>"], [0]),
    }
    for n in range(150):
        suffix = draw.choice(sorted(made))
        data = bytearray(made[suffix])
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (tmp_path / f"{n}.{suffix}").write_bytes(data)
    assert any(isinstance(one, Document) and one.id == "good.txt" for one in found_in(tmp_path))


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "MEMBER_BYTES", 10_000)
    (tmp_path / "large.docx").write_bytes(docx(paragraph("x" * 100_000)))
    entities = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    body = f'{entities}<w:document xmlns:w="{W}"><w:body>{paragraph("&b;")}</w:body></w:document>'
    (tmp_path / "laughs.docx").write_bytes(archive({"word/document.xml": body}))
    (tmp_path / "good.txt").write_text("words")
    found = found_in(tmp_path)
    told = {one.where: one.why for one in found if isinstance(one, Skipped)}
    assert "too large" in told["large.docx"]
    assert "laughs.docx" in told  # no entity is resolved, so nothing is in it


def test_a_pdf_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "WALL_SECONDS", 0.01)
    (tmp_path / "a.pdf").write_bytes(made_pdf([["words"]]))
    (tmp_path / "b.txt").write_text("words")
    skipped, _ = found_in(tmp_path)
    assert isinstance(skipped, Skipped) and skipped.why == "this PDF takes too long to read"

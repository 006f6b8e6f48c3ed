"""Pages to text: structure kept, furniture gone, hostile pages bounded."""

from __future__ import annotations

import re
import time

import pytest

from smolforge.data.clean.curate import text_of
from smolforge.data.read.documents import Document
from smolforge.data.web.extract import ExtractionError, extract_html
from smolforge.data.web.mathml import formula_of, to_latex
from smolforge.data.web.render import render

SENTENCES = "".join(
    f"<p>This is sentence number {n}, which says a little about rivers, hills and the weather of the place.</p>"
    for n in range(12)
)


def article(inside: str) -> str:
    nav = "<nav><ul>" + "".join(f"<li><a href='/{i}'>Menu {i}</a></li>" for i in range(8)) + "</ul></nav>"
    return (
        f"<html><head><title>T</title><style>p{{}}</style></head><body>{nav}<article><h1>Rivers</h1>{SENTENCES}"
        f"{inside}{SENTENCES.replace('number', 'item')}</article><footer>All rights reserved</footer></body></html>"
    )


def test_main_text_stays_and_furniture_goes() -> None:
    text = extract_html(article("<h2>Sources</h2>"))
    assert "# Rivers" in text and "## Sources" in text and "sentence number 7" in text
    assert "Menu 3" not in text and "All rights reserved" not in text


def test_code_keeps_its_indentation() -> None:
    text = extract_html(article("<pre><code>def f(x):\n    if x:\n        return x_1\n</code></pre>"))
    assert "def f(x):\n    if x:\n        return x_1" in text


def test_tables_and_lists_stay_readable() -> None:
    text = extract_html(
        article("<table><tr><th>River</th><th>km</th></tr><tr><td>Elbe</td><td>1094</td></tr></table>")
    )
    assert "River" in text and "| Elbe | 1094 |" in text
    assert "- one" in extract_html(article("<ul><li>one</li><li>two</li></ul>"))


@pytest.mark.parametrize(
    ("markup", "latex"),
    [
        ('<script type="math/tex">x_1 + \\frac{a}{b}</script>', "$x_1 + \\frac{a}{b}$"),
        ('<script type="math/tex; mode=display">\\sum_i x_i</script>', "$$\\sum_i x_i$$"),
        ("<math><mfrac><mi>a</mi><mn>2</mn></mfrac></math>", "$\\frac{a}{2}$"),
        (
            '<math><semantics><mi>q</mi><annotation encoding="application/x-tex">q^2</annotation></semantics></math>',
            "$q^2$",
        ),
        (
            "<math><msup><mi>x</mi><mn>2</mn></msup><mo>≤</mo><msqrt><mi>y</mi></msqrt></math>",
            "$x^{2}\\le \\sqrt{y}$",
        ),
    ],
)
def test_formulas_become_latex(markup: str, latex: str) -> None:
    assert latex in extract_html(article(f"<p>We know that {markup} holds for all of them.</p>"))


AROUND = " ".join(
    f"Sentence {n} is an ordinary one about rivers and hills, long enough to count as content."
    for n in range(9)
)


def in_article(markup: str) -> str:
    """What extraction makes of it in the middle of an ordinary article."""
    text = extract_html(
        f"<html><body><article><h1>T</h1><p>{AROUND}</p>{markup}<p>The end. {AROUND}</p></article></body></html>"
    )
    return text.partition(AROUND)[2].partition("The end.")[0].strip()


MATHML = "&lt;math&gt;&lt;msup&gt;&lt;mi&gt;x&lt;/mi&gt;&lt;mn&gt;2&lt;/mn&gt;&lt;/msup&gt;&lt;/math&gt;"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (r"<p>The integral \(f\!\left(x\right)\,dx\) is.</p>", r"The integral $f\!\left(x\right)\,dx$ is."),
        (r"<p>So $a\_b$ and $n$ and \[x_1^*\] here.</p>", r"So $a\_b$ and $n$ and $$x_1^*$$ here."),
        (
            r"<p>Then \begin{align*}a &amp;= b\end{align*} holds.</p>",
            r"Then $$\begin{align*}a &= b\end{align*}$$ holds.",
        ),
        ("<p>It costs $5 and then $6_000 more.</p>", "It costs $5 and then $6_000 more."),
        (
            "<p>From US$5 to US$9, A$3 or $HOME/$USER today.</p>",
            "From US$5 to US$9, A$3 or $HOME/$USER today.",
        ),
        (r"<p>Use <code>re.sub(r'\.\*\(x\)', s)</code> there.</p>", r"Use `re.sub(r'\.\*\(x\)', s)` there."),
        (
            "<p>Half is <m:math><m:mfrac><m:mi>a</m:mi><m:mi>b</m:mi></m:mfrac></m:math> of it.</p>",
            r"Half is $\frac{a}{b}$ of it.",
        ),
        (
            '<p>See <span class="MathJax_Preview">x2</span><span class="MathJax" data-mathml="'
            + MATHML
            + '">x2</span><script type="math/tex">x^2</script> here.</p>',
            "See $x^2$ here.",
        ),
        (f'<p>See <span class="MathJax" data-mathml="{MATHML}">x2</span> here.</p>', "See $x^{2}$ here."),
        (
            '<p>See <span class="katex"><span class="katex-mathml"><math><semantics><mi>q</mi><annotation encoding='
            '"application/x-tex">q^2</annotation></semantics></math></span><span class="katex-html">q2</span></span> here.</p>',
            "See $q^2$ here.",
        ),
        (
            '<p>See <img class="ql-img-inline-formula quicklatex" alt="&#92;frac{1}{2}" src="x.png"> here.</p>',
            r"See $\frac{1}{2}$ here.",
        ),
        ('<p>See <img src="https://latex.codecogs.com/gif.latex?x%5E3"> here.</p>', "See $x^3$ here."),
        (
            '<p>See <img src="https://s0.wp.com/latex.php?latex=e%5E%7Bix%7D&amp;bg=fff"> here.</p>',
            "See $e^{ix}$ here.",
        ),
        (
            '<p>See <img class="mwe-math-fallback-image-inline" alt="{&#92;displaystyle a^2}" src="x.svg"> here.</p>',
            "See $a^2$ here.",
        ),
        ('<p>See <span data-latex="y_1">picture</span> here.</p>', "See $y_1$ here."),
    ],
)
def test_formulas_of_a_page_come_once_and_whole(markup: str, text: str) -> None:
    assert " ".join(in_article(markup).split()) == text


@pytest.mark.parametrize(
    "markup",
    [
        "<pre>def f():<br>    return 1<br/>x = 2</pre>",
        "<pre><code>def f():\n    return 1\nx = 2</code></pre>",
        '<div class="highlight"><table><tr><td class="gutter"><pre>1\n2\n3</pre></td><td class="code"><pre>def f():\n'
        "    return 1\nx = 2</pre></td></tr></table></div>",
        '<table class="highlight js-file-line-container"><tr><td class="blob-num">1</td><td>def f():</td></tr><tr>'
        '<td class="blob-num">2</td><td>    return 1</td></tr><tr><td class="blob-num">3</td><td>x = 2</td></tr></table>',
        '<pre><span class="lineno">1</span>def f():\n<span class="lineno">2</span>    return 1\n<span class="lineno">3</span>x = 2</pre>',
    ],
)
def test_code_keeps_its_lines_and_indentation(markup: str) -> None:
    assert "def f():\n    return 1\nx = 2" in in_article(markup)


def test_ordinary_scripts_are_no_formulas() -> None:
    assert "alert" not in extract_html(article("<script>alert('x')</script>"))


def test_pages_laid_out_in_tables_are_rendered_whole() -> None:
    rows = "".join(
        f"<tr><td>&nbsp;</td><td><dl><dt>part{i}(x)</dt><dd><span>First&nbsp;line&nbsp;of&nbsp;{i}.<br>\n"
        f"&nbsp;&nbsp;&nbsp;&nbsp;indented&nbsp;{i}</span></dd></dl></td></tr>"
        for i in range(20)
    )
    text = extract_html(f"<html><body><table>{rows}</table></body></html>")
    assert "part7(x)\n\n    First line of 7.\n        indented 7" in text


def test_repeated_blocks_are_given_once() -> None:
    import lxml.etree

    block = "<p>These methods are inherited from the class above.</p>"
    tree = lxml.etree.HTML(f"<body>{block}<p>Own text of the class.</p>{block}</body>")
    assert render(tree).count("inherited") == 1


@pytest.mark.parametrize(
    "page",
    [
        "",
        " ",
        "<",
        "<html></html>",
        "<!-- only -->",
        "\x00\x01",
        "<table><tr><td></table>",
        "<p>" * 5,
        "</div>" * 50,
    ],
)
def test_empty_and_broken_pages_give_text_without_failing(page: str) -> None:
    assert isinstance(extract_html(page), str)


def test_hostile_pages_are_bounded() -> None:
    assert isinstance(extract_html("<div>" * 50_000 + "deep"), str)
    with pytest.raises(ExtractionError):
        extract_html("x" * 5_000_000)
    with pytest.raises(ExtractionError):
        extract_html("<html><body>" + "<b>x</b>" * 100_000 + "</body></html>")
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><p>&b;</p>'
    assert len(extract_html(bomb)) < 1000


def test_deep_mathml_is_bounded() -> None:
    import lxml.etree

    node = lxml.etree.fromstring("<math>" + "<mrow>" * 150 + "<mi>x</mi>" + "</mrow>" * 150 + "</math>")
    assert to_latex(node) == "" and formula_of(node) is not None


BODY = (
    "<p>This is a paragraph of words that is long enough to be kept as the main text of a page, certainly so.</p>"
    * 6
)


@pytest.mark.parametrize("control", ["\x0b", "\x01", "\x1f", "&#11;", "&#x1;"])
def test_control_characters_cost_no_page(control: str) -> None:
    """Beside a formula too, whose text is put back into the tree."""
    page = f"<html><body><article>{BODY}<p>bad{control}text</p><p><math><mi>x{control}</mi></math></p></article></body></html>"
    text = extract_html(page)
    assert "long enough" in text and "text" in text and "$x" in text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)


def test_code_keeps_its_backslashes() -> None:
    """In a line, in a block of one line and of several: `\\.` and `.` are not the same."""
    page = (
        f"<html><body><article>{BODY}<p>Use <code>\\d+\\.\\d*\\[a-z\\]</code> and 2 * 3 = 6.</p><pre><code>sed 's/\\./\\*/'</code></pre>"
        f"<pre><code>a = r'\\.'\nb = r'\\*'</code></pre>{BODY}</article></body></html>"
    )
    text = extract_html(page)
    for kept in (r"\d+\.\d*\[a-z\]", r"sed 's/\./\*/'", r"a = r'\.'", r"b = r'\*'", "2 * 3 = 6."):
        assert kept in text, text


@pytest.mark.parametrize("part", ["![", "[", "![](", "[a](http:", "<a ", "![a](b(", "[![", "]("])
def test_markdown_is_read_in_linear_time(part: str) -> None:
    """A megabyte of brackets that never close: a moment, where it took hours."""
    began = time.monotonic()
    text_of(Document("a.md", "markdown", "", part * (1_000_000 // len(part)), {}))
    assert time.monotonic() - began < 10


def test_images_and_links_of_markdown() -> None:
    for text, left in (
        ("a ![alt](u.png) b", "a  b"), ("[![alt](u.png)](http://x) b", " b"), ("![a](u_(1).png) c", " c"),
        ("[t](http://x.y/z) d", "t d"), ("![a](x 'title') e", " e"), ("[1] and (2)", "[1] and (2)"),
    ):  # fmt: skip
        assert text_of(Document("a.md", "markdown", "", text, {})) == left


@pytest.mark.parametrize(
    "wrapped",
    [
        "<form id='aspnetForm'>{}</form>",
        "<form><table><tr><td>{}</td></tr></table></form>",
        "<div class='menu'><table><tr><td>{}</td></tr></table></div>",
        "<div id='share'><table><tr><td>{}</td></tr></table></div>",
        "<div class='social modal'>{}</div>",
    ],
)
def test_a_page_within_a_form_or_a_part_named_as_furniture_is_a_page(wrapped: str) -> None:
    text = extract_html(f"<html><body>{wrapped.format(SENTENCES)}</body></html>")
    assert "sentence number 0," in text and "sentence number 11," in text


def test_a_small_form_is_still_furniture() -> None:
    text = extract_html(article("<form><label>Your name</label><p>Send us your name</p></form>"))
    assert "sentence number 7" in text and "your name" not in text.lower()


@pytest.mark.parametrize(
    "said", [r"5 \* 3", r"C:\_dir\[x]", r"a_b_c and *star*", r"one \( of two", r"a \\[ b"]
)
def test_marks_of_a_page_are_its_own(said: str) -> None:
    assert f"Say {said} here" in extract_html(article(f"<p>Say {said} here, and say it well.</p>"))


@pytest.mark.parametrize("code", [r"<pre>x = '\*\_'</pre>", r"<pre><code>x = '\*\_'</code></pre>"])
def test_a_line_of_code_is_a_block(code: str) -> None:
    assert "```\nx = '\\*\\_'\n```\n" in extract_html(article(code + code))


def test_formulas_stand_in_their_sentence() -> None:
    text = extract_html(
        article("<p>Take $f\\!\\left(x\\right)$ and \\(y_1\\), or \\[ a \\\\[2pt] b \\].</p>")
    )
    assert "Take $f\\!\\left(x\\right)$ and $y_1$ , or $$a \\\\[2pt] b$$ ." in text


@pytest.mark.parametrize("part", ["\\(", "\\[", "$$ ", "$x ", "\\begin{align}"])
def test_openings_without_an_end_take_linear_time(part: str) -> None:
    start = time.process_time()
    extract_html(article(f"<p>{part * 20_000}</p>"))
    assert time.process_time() - start < 3

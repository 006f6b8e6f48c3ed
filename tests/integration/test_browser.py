"""The chat page and the report in headless Chromium, driven as a person would, by keyboard mostly."""

from __future__ import annotations

import random
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import serving
from talkers import HOSTILE, Rules, rules_talker

from smolforge.serve.server import Examples

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    pytest.skip("no Chromium with chromedriver on this machine", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (extra: dev)")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield made
    made.quit()


@pytest.fixture(scope="module")
def talker():
    return rules_talker(token_seconds=0.004)


@pytest.fixture(scope="module")
def url(talker) -> Iterator[str]:
    examples = Examples(["repeat an example", "hello"], seen=True)
    with serving(talker, examples=examples) as address:
        yield address


@pytest.fixture
def page(browser, url: str):
    """The chat page, fresh, at desktop width; no message of the browser's console may be left over."""
    resize(browser, 1280, 800)
    browser.get(url)
    browser.execute_script(
        "addEventListener('pagehide', () => { sessionStorage.clear(); localStorage.clear(); })"
    )
    browser.get(url)
    until(browser, lambda: browser.title == "cat · chat")
    yield browser
    noise = [line for line in browser.get_log("browser") if "status of 4" not in line["message"]]
    assert noise == []


def resize(browser, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def until(browser, ready: Callable[[], object], seconds: float = 10) -> None:
    WebDriverWait(browser, seconds, poll_frequency=0.03).until(lambda _: ready())


def answers(page) -> list[str]:
    return [e.get_attribute("textContent") for e in page.find_elements(By.CSS_SELECTOR, ".assistant .text")]


def idle(page) -> bool:
    return page.find_element(By.ID, "send").is_displayed()


def say(page, text: str, *, wait: bool = True) -> None:
    box = page.switch_to.active_element
    assert box.get_attribute("id") == "message", "the message box should have the focus"
    box.send_keys(text + Keys.ENTER)
    if wait:
        until(page, lambda: idle(page))


def test_asking_and_being_answered_by_keyboard_alone(page) -> None:
    say(page, "hello")
    assert answers(page) == ["The cat sat on the mat."]
    about = page.find_element(By.CSS_SELECTOR, ".speed").text
    assert "tokens" in about and "per second" in about
    assert page.find_element(By.CSS_SELECTOR, ".hint").rect["height"] < 30
    page.switch_to.active_element.send_keys("repeat two", Keys.SHIFT, Keys.ENTER, Keys.SHIFT, "lines")
    say(page, "")
    assert answers(page)[-1] == "two\nlines"


def test_what_the_model_writes_is_text_only(page) -> None:
    say(page, "hostile")
    assert answers(page)[-1].startswith("<img src=x onerror=")
    assert answers(page)[-1].replace("\x1b", "").replace("\x07", "") == HOSTILE.replace("\x1b", "").replace(
        "\x07", ""
    )
    assert page.title == "cat · chat"
    assert page.execute_script("return document.querySelectorAll('#log img, #log script').length") == 0
    say(page, "repeat " + HOSTILE.split("\x1b")[0])
    page.refresh()
    until(page, lambda: len(answers(page)) == 2)
    assert page.title != "hacked"


def test_it_streams_and_stops(page, talker) -> None:
    assert isinstance(talker.model, Rules)
    say(page, "count 900", wait=False)
    until(page, lambda: answers(page) and "5" in answers(page)[-1])
    assert not idle(page)
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(page, lambda: idle(page))
    seen = answers(page)[-1]
    assert seen.startswith("1 2 3") and "900" not in seen
    time.sleep(0.3)
    written = talker.model.written
    time.sleep(0.3)
    assert talker.model.written == written
    assert "Stopped." in page.find_element(By.ID, "log").text


def test_conversation_survives_reload_and_new_chat_clears_it(page) -> None:
    say(page, "repeat apple")
    say(page, "prompt")
    assert "repeat apple" in answers(page)[-1]
    page.refresh()
    until(page, lambda: len(answers(page)) == 2)
    page.find_element(By.ID, "new").click()
    assert answers(page) == []
    say(page, "prompt")
    assert "apple" not in answers(page)[-1]
    page.refresh()
    until(page, lambda: len(answers(page)) == 1)


def test_settings_reach_the_model(page) -> None:
    page.find_element(By.ID, "show-settings").send_keys(Keys.ENTER)
    page.switch_to.active_element.send_keys("Speak like a cat.")
    tokens = page.find_element(By.ID, "tokens")
    tokens.clear()
    tokens.send_keys("60")
    page.find_element(By.ID, "message").click()
    say(page, "prompt")
    assert "<im_start>system\nSpeak like a cat." in answers(page)[-1]
    say(page, "count 500")
    assert "Cut at the longest answer" in page.find_element(By.ID, "log").text
    page.refresh()
    assert page.find_element(By.ID, "system").get_attribute("value") == "Speak like a cat."


def test_a_message_that_does_not_fit_comes_back(page) -> None:
    text = "long " * 4000
    page.execute_script("document.getElementById('message').value = arguments[0]", text)
    say(page, "")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".note.bad"))
    assert "this model can read" in page.find_element(By.CSS_SELECTOR, ".note.bad").text
    assert page.find_element(By.ID, "message").get_attribute("value").strip() == text.strip()
    assert not page.find_elements(By.CSS_SELECTOR, ".turn")


def test_copy(page, url: str) -> None:
    grant = {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.execute_cdp_cmd("Browser.grantPermissions", grant)
    say(page, "repeat copy me")
    page.find_element(By.CSS_SELECTOR, ".assistant .about button").send_keys(Keys.ENTER)
    until(page, lambda: page.find_element(By.CSS_SELECTOR, ".assistant .about button").text == "Copied")
    copied = page.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0], e => arguments[0]('' + e))"
    )
    assert copied == "copy me"


MARKDOWN = """# Heading
Some **bold**, *slanted*, ~~gone~~ and `code` with snake_case_names and 2 * 3 * 4.

1. first
2. second
   - inside
   - **both**

> quoted
> twice

| a | b |
|---|:-:|
| 1 | `2` |

```python
def f(x):
    return "<b>" * x  # **not bold**
```
[a page](https://example.org/a?b=c) and https://example.org/plain.
***
the end"""


def shown(page, text: str) -> str:
    """What the page's own Markdown makes of a text, as HTML."""
    return page.execute_script(
        "const into = document.createElement('div'); showMarkdown(arguments[0], into); return into.innerHTML;",
        text,
    )


def test_markdown_is_shown_as_it_is_meant(page) -> None:
    html = shown(page, MARKDOWN)
    for piece in (
        "<h3>Heading</h3>",
        "<strong>bold</strong>, <em>slanted</em>, <del>gone</del> and <code>code</code> with snake_case_names and 2 * 3 * 4.",
        "<ol><li><p>first</p></li><li><p>second</p><ul><li><p>inside</p></li><li><p><strong>both</strong></p></li></ul></li></ol>",
        "<blockquote><p>quoted\ntwice</p></blockquote>",
        "<th>a</th><th>b</th>",
        "<td>1</td><td><code>2</code></td>",
        '<code>def f(x):\n    return "&lt;b&gt;" * x  # **not bold**</code>',
        '<a href="https://example.org/a?b=c" title="https://example.org/a?b=c" target="_blank" rel="noopener noreferrer nofollow">a page</a>',
        '">https://example.org/plain</a>.',
        "<hr><p>the end</p>",
    ):
        assert piece in html, (piece, html)


HOSTILE_MARKDOWN = [
    '<script>document.title="hacked"</script>',
    "<img src=x onerror=\"document.title='hacked'\">",
    "[x](javascript:document.title='hacked')",
    "[x](  JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](\x01javascript:alert(1))",
    "[x](https://a.example/\" onmouseover=\"document.title='hacked')",
    "![x](https://a.example/picture.png)",
    "**<svg onload=alert(1)>**",
    "`<iframe srcdoc='<script>alert(1)</script>'>`",
    "```<img src=x onerror=alert(1)>\n</code></pre><script>document.title='hacked'</script>",
    "| <b>a</b> | b |\n|---|---|\n| <img src=x onerror=alert(1)> | </table><script>1</script> |",
    "> <style>*{display:none}</style>",
    "- <form action=https://a.example><input name=x>",
    "# </h3><meta http-equiv=refresh content=0;url=https://a.example>",
    "<a href=javascript:alert(1)>x</a> https://a.example/<script>",
]
ALLOWED_TAGS = set(
    re.findall(
        r"\w+",
        "P STRONG EM DEL CODE PRE UL OL LI BLOCKQUOTE HR A TABLE THEAD TBODY TR TH TD DIV SPAN BUTTON H3 H4 H5 H6",
    )
)


def test_hostile_markdown_stays_text(page) -> None:
    """Every text alone and all in a row: only elements of ours, no attribute of theirs, links to the web alone."""
    generator = random.Random(7)
    pieces = [
        *HOSTILE_MARKDOWN,
        "**",
        "`",
        "```\n",
        "[",
        "](",
        ")",
        "\n- ",
        "\n> ",
        "\n\n",
        "|",
        "\n|-|-|\n",
        "_",
        "~~",
        "\\",
    ]
    texts = [*HOSTILE_MARKDOWN, "\n".join(HOSTILE_MARKDOWN)]
    texts += ["".join(generator.choices(pieces, k=12)) for _ in range(400)]
    found = page.execute_script(
        """return arguments[0].map((text) => {
             const into = document.body.appendChild(document.createElement("div"));
             showMarkdown(text, into);
             const all = [...into.querySelectorAll("*")];
             into.remove();
             return {tags: all.map((e) => e.tagName), names: all.flatMap((e) => e.getAttributeNames()),
                     goals: all.filter((e) => e.href).map((e) => e.href)};
           })""",
        texts,
    )
    for text, one in zip(texts, found, strict=True):
        assert set(one["tags"]) <= ALLOWED_TAGS, text
        assert set(one["names"]) <= {
            "href",
            "title",
            "target",
            "rel",
            "class",
            "type",
            "tabindex",
            "start",
        }, text
        assert all(goal.startswith(("http://", "https://", "mailto:")) for goal in one["goals"]), text
    time.sleep(0.2)
    assert page.title == "cat · chat"
    assert page.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)") == [
        page.current_url + "health"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "*", "**", "_", "`", "[", "![", "](", "[a](", "<", "> ", "- ", "|", "# ", "~~", "*a ", "_a_b", "**a *b ", "``` ", "`` ` ", "\\*",
        "\n> - ", "\n|-|\n", "\n\n- a\n\n", "https://a", "- - ", "| |\n", " ", "-\t",
    ],
)  # fmt: skip
def test_no_text_takes_long(page, text: str) -> None:
    long = text * (100_000 // len(text))
    milliseconds = page.execute_script(
        """const began = performance.now(), into = document.createElement("div");
           showMarkdown(arguments[0], into); return performance.now() - began;""",
        "```" + long if text == " " else long,
    )
    assert milliseconds < 3000


def test_code_is_copied_and_the_answer_too(page, url: str) -> None:
    grant = {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.execute_cdp_cmd("Browser.grantPermissions", grant)
    lines = ("repeat so:", "```python", "print(1)", "```")
    for line in lines:
        page.switch_to.active_element.send_keys(line)
        page.switch_to.active_element.send_keys(Keys.SHIFT, Keys.ENTER)
    say(page, "")
    code = page.find_element(By.CSS_SELECTOR, ".code-bar button")
    assert page.find_element(By.CSS_SELECTOR, ".code-bar span").text == "python"
    code.send_keys(Keys.ENTER)
    until(page, lambda: code.text == "Copied")
    read = "navigator.clipboard.readText().then(arguments[0], e => arguments[0]('' + e))"
    assert page.execute_async_script(read) == "print(1)"


def test_examples_are_asked_by_a_click(page) -> None:
    told = page.find_element(By.ID, "empty").text
    assert "seen to answer these rightly" in told and "repeat an example" in told
    page.find_element(By.CSS_SELECTOR, "#examples button").send_keys(Keys.ENTER)
    until(page, lambda: answers(page) == ["an example"] and idle(page))
    assert not page.find_element(By.ID, "empty").is_displayed()


def test_an_example_is_answered_as_it_was_seen_to_be(page, talker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    answer = Rules.stream
    monkeypatch.setattr(
        Rules,
        "stream",
        lambda one, ids, how, stop=(): seen.append(how.temperature) or answer(one, ids, how, stop),
    )
    page.find_element(By.CSS_SELECTOR, "#examples button").click()
    until(page, lambda: len(answers(page)) == 1 and idle(page))
    say(page, "hello")
    assert seen == [0.0, 0.2]


def test_an_answer_is_asked_for_again(page, talker) -> None:
    say(page, "repeat one")
    say(page, "repeat two")
    again = page.find_elements(By.CSS_SELECTOR, ".again")
    assert [one.is_displayed() for one in again] == [False, True]
    written = talker.model.written
    again[-1].send_keys(Keys.ENTER)
    until(page, lambda: idle(page) and talker.model.written > written)
    assert answers(page) == ["one", "two"]


def test_a_message_is_edited_and_what_followed_it_is_gone(page) -> None:
    say(page, "repeat one")
    say(page, "repeat two")
    page.find_element(By.CSS_SELECTOR, ".edit-it").click()
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert len(answers(page)) == 2
    page.find_element(By.CSS_SELECTOR, ".edit-it").click()
    page.switch_to.active_element.send_keys(Keys.CONTROL, "a", Keys.CONTROL, "repeat three", Keys.ENTER)
    until(page, lambda: answers(page) == ["three"] and idle(page))
    page.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert page.switch_to.active_element.get_attribute("value") == "repeat three"


def test_several_chats_are_kept(page) -> None:
    say(page, "repeat apple")
    page.find_element(By.ID, "new").click()
    say(page, "repeat pear")
    titles = [one.text for one in page.find_elements(By.CSS_SELECTOR, "#chats .open")]
    assert titles == ["repeat pear", "repeat apple"]
    page.find_elements(By.CSS_SELECTOR, "#chats .open")[1].send_keys(Keys.ENTER)
    assert answers(page) == ["apple"]
    page.find_elements(By.CSS_SELECTOR, "#chats .remove")[0].click()
    assert [one.text for one in page.find_elements(By.CSS_SELECTOR, "#chats .open")] == ["repeat apple"]
    page.find_element(By.CSS_SELECTOR, "#side-note button").click()
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "#chats .open")) == 2)
    page.refresh()
    until(page, lambda: answers(page) == ["apple"])


def test_what_the_browser_kept_is_checked(page, url: str) -> None:
    page.execute_script(
        """localStorage.setItem("smolforge-chat:a", "{");
           localStorage.setItem("smolforge-chat:b", JSON.stringify({title: {}, messages: [1, null, {role: "system", content: "x"},
             {role: "user", tool_calls: []}, {role: "assistant", tool_calls: [{}]}, {role: "user", content: "<img src=x>"}]}));
           localStorage.setItem("smolforge-settings", "[")"""
    )
    page.refresh()
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "#chats .open"))
    page.find_element(By.CSS_SELECTOR, "#chats .open").click()
    assert [one.text for one in page.find_elements(By.CSS_SELECTOR, ".turn .text")] == ["<img src=x>"]


def test_tools_are_run_and_their_results_told(page) -> None:
    say(page, "calculate")
    assert answers(page) == ["I have no tool."]
    page.find_element(By.ID, "show-settings").click()
    page.find_element(By.CSS_SELECTOR, "#tools input[value=calculate]").click()
    page.find_element(By.ID, "message").click()
    say(page, "calculate")
    until(page, lambda: len(answers(page)) == 2)
    assert answers(page)[-1] == 'It gives {"result":84}.'
    calls = [one.text for one in page.find_elements(By.CSS_SELECTOR, ".call .text")]
    assert calls[0].startswith("asks for calculate") and calls[1] == 'gives {"result":84}'
    page.refresh()
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".call")) == 2)
    assert page.find_element(By.CSS_SELECTOR, "#tools input[value=calculate]").get_attribute("checked")


@pytest.mark.parametrize(
    ("name", "values", "gives"),
    [
        ("calculate", '{"first": 7, "sign": "/", "second": 0}', "error"),
        ("calculate", '{"first": 1, "sign": "constructor", "second": 2}', "error"),
        ("random_number", '{"low": 3, "high": 3}', '{"number":3}'),
        ("random_number", '{"low": 4, "high": 3}', "error"),
        ("get_time", '{"city": "Tokyo"}', '"time":"'),
        ("get_time", '{"city": "__proto__"}', "error"),
        ("get_time", "no JSON", "error"),
        ("get_time", "null", "error"),
        ("rm", "{}", "no such tool"),
    ],
)
def test_a_tool_never_fails_but_by_words(page, name: str, values: str, gives: str) -> None:
    call = {"function": {"name": name, "arguments": values}}
    assert gives in page.execute_script("return runTool(arguments[0])", call)


def contrast(page, selector: str) -> float:
    """Contrast of the text of an element against the nearest background. Source: WCAG 2.2, relative luminance."""
    return page.execute_script(
        """const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
             .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
           const one = document.querySelector(arguments[0]);
           let back = one; while (getComputedStyle(back).backgroundColor === "rgba(0, 0, 0, 0)") back = back.parentElement;
           const [a, b] = [light(getComputedStyle(one).color), light(getComputedStyle(back).backgroundColor)].sort((x, y) => y - x);
           return (a + 0.05) / (b + 0.05);""",
        selector,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page, scheme: str) -> None:
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    say(page, "repeat `code` and [a link](https://example.org)")
    for selector in (
        ".text",
        ".text code",
        ".text a",
        ".who",
        ".about button",
        ".hint span",
        "#send",
        "#chats .open",
        "#side-note",
        ".user .text",
    ):
        assert contrast(page, selector) >= 4.5, (scheme, selector)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_chats_are_a_drawer_on_a_phone(page) -> None:
    resize(page, 390, 780)
    page.refresh()
    say(page, "repeat apple")
    side = page.find_element(By.ID, "side")
    assert not side.is_displayed()
    page.find_element(By.ID, "show-chats").send_keys(Keys.ENTER)
    assert side.is_displayed() and page.switch_to.active_element.get_attribute("id") == "new"
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not side.is_displayed() and page.switch_to.active_element.get_attribute("id") == "show-chats"
    page.find_element(By.ID, "show-chats").click()
    page.find_element(By.CSS_SELECTOR, "#chats .open").click()
    assert not side.is_displayed() and answers(page) == ["apple"]


def test_everything_is_named_and_reachable_at_phone_width(page) -> None:
    resize(page, 390, 780)
    page.refresh()
    say(page, "repeat " + "wide" * 100)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    page.find_element(By.ID, "show-settings").click()
    nameless = page.execute_script(
        """return [...document.querySelectorAll("button, input, textarea")].filter((e) =>
             !e.textContent.trim() && !e.labels?.length && !e.ariaLabel).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    small = page.execute_script(
        """return [...document.querySelectorAll("header button, #ask button")].filter((e) =>
             e.checkVisibility() && e.getBoundingClientRect().height < 32).length"""
    )
    assert small == 0
    send = page.find_element(By.ID, "send").rect
    assert send["x"] >= 0 and send["x"] + send["width"] <= 390 and send["y"] + send["height"] <= 780


def test_other_pages_cannot_ask(page, url: str, talker, tmp_path: Path) -> None:
    """A page of another origin gets no answer, not even by a request without preflight."""
    elsewhere = tmp_path / "evil.html"
    elsewhere.write_text("<title>evil</title>")
    page.get(elsewhere.as_uri())
    written = talker.model.written
    told = page.execute_async_script(
        """const done = arguments[1];
        fetch(arguments[0] + "/v1/chat/completions", {method: "POST", mode: "no-cors",
          headers: {"content-type": "text/plain"}, body: '{"messages":[{"role":"user","content":"hi"}]}'})
          .then((r) => done(r.type), (e) => done("refused"))""",
        url,
    )
    assert told in ("opaque", "refused")
    assert talker.model.written == written
    page.get_log("browser")
    page.get(url)


def test_a_key_is_asked_for(browser) -> None:
    with serving(rules_talker(), api_key="secret") as address:
        browser.get(address)
        until(browser, lambda: browser.title == "cat · chat")
        say(browser, "hello")
        assert "API key" in browser.find_element(By.CSS_SELECTOR, ".note.bad").text
        browser.find_element(By.ID, "show-settings").click()
        browser.find_element(By.ID, "key").send_keys("secret")
        message = browser.find_element(By.ID, "message")
        message.clear()
        message.click()
        say(browser, "hello")
        assert answers(browser) == ["The cat sat on the mat."]
    browser.get_log("browser")


# ---- the report


@pytest.mark.parametrize("width", [1280, 390])
def test_report_fits_and_reads_values(browser, tmp_path: Path, width: int) -> None:
    from report_fixture import make_lab

    from smolforge.report.build import build_report

    lab = make_lab(tmp_path)
    resize(browser, width, 900)
    browser.get(build_report(lab.run, lab.artifacts).as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    loaded = browser.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    cut_without_a_shade = browser.execute_script(
        """return [...document.querySelectorAll("main *")].filter((e) => e.scrollWidth > e.clientWidth + 1
             && getComputedStyle(e).overflowX !== "visible" && !e.matches("pre, svg *")
             && !getComputedStyle(e).backgroundAttachment.includes("local")).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert cut_without_a_shade == []
    browser.execute_script(
        """const svg = document.querySelector("svg.loss"), box = svg.getBoundingClientRect();
        svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.x + box.width / 2, clientY: box.y + 50}));"""
    )
    readout = browser.find_element(By.CSS_SELECTOR, ".readout").get_attribute("textContent")
    assert "M tokens: loss" in readout and "smoothed" in readout
    spill = browser.execute_script(
        """return [...document.querySelectorAll("svg.road g")].flatMap((g) => {
             const box = g.querySelector("rect").getBoundingClientRect();
             return [...g.querySelectorAll("text")].filter((t) => t.getBoundingClientRect().right > box.right)
               .map((t) => t.textContent);
           })"""
    )
    assert spill == []
    assert browser.get_log("browser") == []

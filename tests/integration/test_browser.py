"""The chat page and the report in headless Chromium, driven as a person would, by keyboard mostly."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import serving
from talkers import HOSTILE, Rules, rules_talker

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
    with serving(talker) as address:
        yield address


@pytest.fixture
def page(browser, url: str):
    """The chat page, fresh, at desktop width; no message of the browser's console may be left over."""
    resize(browser, 1280, 800)
    browser.get(url)
    browser.execute_script("sessionStorage.clear()")
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
    page.find_element(By.CSS_SELECTOR, ".about button").send_keys(Keys.ENTER)
    until(page, lambda: page.find_element(By.CSS_SELECTOR, ".about button").text == "Copied")
    copied = page.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0], e => arguments[0]('' + e))"
    )
    assert copied == "copy me"


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

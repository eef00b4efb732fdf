"""A reviewer at the real page, in headless Chromium, by keyboard; the server is a process that is killed."""

import asyncio
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from tests.unit.training.studio import corpus as small
from training.data.clips import Reviewed
from training.data.store import Corpus, Review
from training.data.voices import Casting

pytestmark = pytest.mark.e2e

CHROMIUM = "/usr/bin/chromium"
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
).split()
COMMAND = "import typer; from parley.cli.studio import review; typer.run(review)"


class Server:
    """`parley data review` in a process of its own, on a port that stays the same over restarts."""

    def __init__(self, folder: Path, spoken: Path) -> None:
        shutil.copytree(spoken, folder / "corpus")
        self.corpus = Corpus(folder / "corpus")
        self.config = folder / "subject.yaml"
        source = {"path": str(folder), "licence": "none", "consent": "synthetic voices"}
        self.config.write_text(
            yaml.safe_dump({"name": "small", "corpus": str(folder / "corpus"), "sources": [source]})
        )
        self.port = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(self.config), "--port", str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self.port = httpx.URL(self.url).port or 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def clip(self, clip_id: str) -> Reviewed:
        """What stands on the disk, read by another process than the server: this one."""
        return Review(Corpus(self.corpus.root)).get(clip_id)

    async def until(self, clip_id: str, **wanted: Any) -> Reviewed:
        """Waits until the clip on the disk is as wanted."""
        deadline = time.monotonic() + 15
        while True:
            found = self.clip(clip_id)
            if all(getattr(found, name) == value for name, value in wanted.items()):
                return found
            assert time.monotonic() < deadline, f"{found} is not {wanted}"
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.build(tmp_path_factory.mktemp("spoken") / "corpus").root


@pytest.fixture
def server(tmp_path: Path, spoken: Path) -> Iterator[Server]:
    running = Server(tmp_path, spoken)
    yield running
    running.kill()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES, headless=True)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, server: Server) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 820})
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
    await page.goto(server.url)
    yield page
    assert problems == []


def box(page: Page) -> Any:
    return page.get_by_label("What is said")


async def at(page: Page, clip_id: str) -> None:
    """Waits until this clip is shown, with its sound."""
    await page.wait_for_function(f"() => location.hash === '#{clip_id}'")
    await expect(page.get_by_label("Start of the clip")).to_be_visible()
    await expect(page.locator(".strip path")).to_have_attribute("d", re.compile("M.+M"))


async def saved(page: Page) -> None:
    await expect(page.locator(".status")).to_have_text("Saved", timeout=15_000)


async def test_correct_by_keyboard_undo_and_history(page: Page, server: Server, artifacts: Path) -> None:
    await at(page, "reading-4")
    await expect(box(page)).to_have_value("")  # the engines disagree too much to be of help
    await page.screenshot(path=artifacts / "review-empty-box.png")
    await page.keyboard.type("Seven lamps stood by the harbour.")
    await saved(page)
    assert server.clip("reading-4").state == "draft"
    await page.keyboard.press("Tab")
    await page.wait_for_function("() => document.activeElement.tagName === 'TEXTAREA'")
    await page.keyboard.press("Control+Enter")
    await at(page, "reading-3")
    done = await server.until("reading-4", state="accepted")
    assert (done.text, done.by) == ("Seven lamps stood by the harbour.", "reviewer")
    await expect(page.locator(".progress")).to_contain_text("1 of 7 clips")
    await page.screenshot(path=artifacts / "review.png")

    await page.keyboard.press("Alt+u")
    await at(page, "reading-4")
    back = await server.until("reading-4", state="draft")
    assert back.text == "Seven lamps stood by the harbour."
    await page.keyboard.press("Alt+h")
    sheet = page.get_by_role("dialog", name="History of this clip")
    await expect(sheet.get_by_role("listitem").first).to_contain_text("Taken back")
    await expect(sheet.get_by_role("listitem").last).to_contain_text("heaven clams to buy")
    await page.screenshot(path=artifacts / "review-history.png")
    await sheet.get_by_role("button", name="Restore").last.click()
    await server.until("reading-4", state="todo")
    await expect(box(page)).to_have_value("")


async def test_reject_wrong_speaker_and_music_by_keys(page: Page, server: Server) -> None:
    for clip, key, state, following in (
        ("reading-4", "Alt+r", "rejected", "reading-3"),
        ("reading-3", "Alt+w", "wrong_speaker", "other-0"),
        ("other-0", "Alt+m", "music", "reading-1"),
    ):
        await at(page, clip)
        await page.keyboard.press(key)
        await at(page, following)
        await server.until(clip, state=state)
    await page.keyboard.press("Alt+n")
    await at(page, "reading-2")
    await page.keyboard.press("Alt+p")
    await at(page, "reading-1")


async def test_a_word_is_fixed_everywhere_and_taught(page: Page, server: Server, artifacts: Path) -> None:
    await page.goto(server.url + "#reading-3")
    await at(page, "reading-3")
    await box(page).fill("ask Parley about the moon")
    await expect(page.locator(".offer")).to_contain_text("“parlay” is now “Parley”")
    await saved(page)
    await page.keyboard.press("Alt+a")
    sheet = page.get_by_role("dialog", name="Fix a word everywhere")
    await expect(sheet.get_by_role("listitem")).to_have_count(2)
    phones = sheet.get_by_label("Pronunciation in ARPAbet")
    await expect(phones).to_have_value(re.compile("^P AA R"))
    async with page.expect_response(lambda response: "/pronunciation/sound" in response.url) as played:
        await sheet.get_by_role("button", name="Listen").click()
    assert int((await played.value).headers["content-length"]) > 10_000
    await sheet.get_by_role("button", name="Into the lexicon").click()
    await expect(sheet).to_contain_text("“Parley” is in the lexicon")
    assert server.corpus.lexicon()["Parley"].phones.startswith("P AA R L")
    await page.screenshot(path=artifacts / "review-everywhere.png")

    # The answer is late: an undo asked for meanwhile waits for it (it used to say "nothing to take back").
    async def late(route: Route) -> None:
        answer = await route.fetch()
        await asyncio.sleep(1)
        await route.fulfill(response=answer)

    await page.route("**/places", late)
    await sheet.get_by_role("button", name="Fix in 2 clips").click()
    assert (await server.until("reading-0", version=1)).text == "Parley draws a face that speaks"
    assert server.clip("reading-1").text == "today Parley listens to you"
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await page.keyboard.press("Alt+u")
    assert (await server.until("reading-0", version=2)).text == "parlay draws a face that speaks"
    assert server.clip("reading-1").text == "today parlay listens to you"


async def test_ends_are_moved_by_key_and_by_pointer(page: Page, server: Server) -> None:
    await at(page, "reading-4")
    before = server.clip("reading-4")
    await page.get_by_label("Start of the clip").press("Shift+ArrowRight")
    moved = await server.until("reading-4", start_s=round(before.start_s + 0.1, 3))
    assert moved.end_s == before.end_s
    handle = await page.get_by_label("End of the clip").bounding_box()
    assert handle is not None
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x - 60, y, steps=4)
    await page.mouse.up()
    await saved(page)
    assert server.clip("reading-4").end_s < before.end_s - 0.05
    assert server.clip("reading-4").text == ""


async def test_two_tabs_never_overwrite_each_other(page: Page, server: Server, artifacts: Path) -> None:
    await at(page, "reading-4")
    other = await page.context.new_page()
    await other.goto(server.url)
    await at(other, "reading-3")  # the first clip is open in the other tab
    await other.goto(server.url + "#reading-4")
    await at(other, "reading-4")

    await box(page).fill("Seven lamps")
    await saved(page)
    await box(other).fill("Heaven lamps stood")
    panel = other.get_by_role("alert")
    await expect(panel.locator(".theirs")).to_have_text("Seven lamps")
    await expect(panel.locator(".yours")).to_have_text("Heaven lamps stood")
    await other.screenshot(path=artifacts / "review-conflict.png")
    assert server.clip("reading-4").text == "Seven lamps"
    await other.keyboard.type(" by")  # the hands were on the keys: nothing typed goes astray
    await expect(panel.locator(".yours")).to_have_text("Heaven lamps stood by")
    await other.keyboard.press("Alt+y")
    await server.until("reading-4", text="Heaven lamps stood by")

    await box(page).fill("Seven lamps stood by")
    await page.get_by_role("alert").get_by_role("button", name="Take theirs").click()
    await expect(box(page)).to_have_value("Heaven lamps stood by")
    await saved(page)
    await page.keyboard.press("Alt+h")
    await expect(page.get_by_role("listitem").filter(has_text="Seven lamps")).to_have_count(1)
    assert server.clip("reading-4").text == "Heaven lamps stood by"


async def test_a_killed_server_loses_nothing(page: Page, server: Server, artifacts: Path) -> None:
    await at(page, "reading-4")
    await page.keyboard.type("Seven lamps ")
    await saved(page)
    server.kill()
    await page.keyboard.type("stood by ")
    await expect(page.locator(".status")).to_contain_text("Kept in this browser")
    await page.keyboard.type("the harbour.")
    await expect(page.locator(".status")).to_contain_text("Kept in this browser")
    await page.screenshot(path=artifacts / "review-server-gone.png")
    assert server.clip("reading-4").text == "Seven lamps "
    server.start()
    await server.until("reading-4", text="Seven lamps stood by the harbour.")
    await saved(page)
    await expect(page.locator("[aria-current] .text")).to_have_text("Seven lamps stood by the harbour.")

    # Killed again in the middle of typing, and the tab closed before the server is back.
    await page.keyboard.type(" And")
    server.kill()
    await page.keyboard.type(" more.")
    context = page.context
    await page.close()
    server.start()
    again = await context.new_page()
    await again.goto(server.url)
    await at(again, "reading-4")
    await expect(box(again)).to_have_value("Seven lamps stood by the harbour. And more.")
    await server.until("reading-4", text="Seven lamps stood by the harbour. And more.", state="draft")


async def test_a_decision_without_a_server_is_brought_there_later(page: Page, server: Server) -> None:
    await at(page, "reading-4")
    await page.keyboard.type("Seven lamps stood by the harbour.")
    server.kill()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".status")).to_contain_text("Kept in this browser")
    server.start()
    await server.until("reading-4", state="accepted", text="Seven lamps stood by the harbour.")
    await at(page, "reading-3")
    await expect(box(page)).to_have_value("ask parlay about the moon")


async def test_a_transcript_is_imported_and_taken_back(page: Page, server: Server) -> None:
    await at(page, "reading-4")
    await page.keyboard.press("Alt+i")
    sheet = page.get_by_role("dialog", name="Import a transcript")
    words = "Birds find their way by the stars. Rain fell on the quiet hills."
    await sheet.get_by_label("Recording").select_option(label="A other (2 of 2 untouched)")
    await sheet.get_by_label("File").set_input_files(
        {"name": "other.txt", "mimeType": "text/plain", "buffer": words.encode()}
    )
    await sheet.get_by_role("button", name="Import", exact=True).click()
    await expect(sheet).to_contain_text("2 clips have its words now")
    assert server.clip("other-0").text == "Birds find their way by the stars."
    assert server.clip("other-1").state == "draft"
    await page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await page.keyboard.press("Alt+u")
    await server.until("other-0", state="todo")


async def test_the_target_is_picked_by_ear(page: Page, server: Server, artifacts: Path) -> None:
    await at(page, "reading-4")
    await page.keyboard.press("Alt+v")
    sheet = page.get_by_role("dialog", name="Whose voice is wanted?")
    await expect(sheet.get_by_role("listitem")).to_have_count(2)
    await expect(sheet.get_by_role("listitem").first).to_contain_text("The target")
    async with page.expect_response(lambda response: "/voices/B/sound" in response.url) as played:
        await sheet.get_by_role("button", name="Listen to voice B").press("Enter")
    assert int((await played.value).headers["content-length"]) > 100_000
    await expect(sheet.get_by_role("button", name="Stop voice B")).to_be_visible()
    await sheet.get_by_role("button", name="Pick voice B").press("Enter")
    await expect(sheet.get_by_role("status")).to_contain_text("Voice B is the target from the next")
    await page.screenshot(path=artifacts / "review-voices.png")
    assert Casting(server.corpus.root).waiting() == "B"
    await page.keyboard.press("Escape")
    await expect(box(page)).to_be_focused()


async def test_dark_and_narrow(page: Page, server: Server, artifacts: Path) -> None:
    await page.goto(server.url + "#other-0")
    await at(page, "other-0")
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_timeout(400)  # colours fade over
    await page.screenshot(path=artifacts / "review-dark.png")
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.screenshot(path=artifacts / "review-narrow.png")
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390

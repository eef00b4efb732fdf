"""A person makes an avatar of themselves at the real page, talks to it, and deletes it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Locator, Page, Route, async_playwright, expect

from parley.bench.questions import spoken
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import write_wav
from parley.settings import REPOSITORY
from tests.e2e.test_page import CHROMIUM, SWITCHES, wait_for
from tests.stack import RunningStack

pytestmark = pytest.mark.e2e

PHOTO = REPOSITORY / "avatars" / "theo" / "face" / "portrait.png"
TEXT = "My favourite animal is the otter. Otters hold hands when they sleep."
MADE_MS = 60_000


@pytest.fixture
async def page(tmp_path: Path, stack: RunningStack) -> AsyncIterator[Page]:
    said = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."
    microphone = tmp_path / "microphone.wav"
    write_wav(microphone, np.concatenate([spoken(said, "slt"), np.zeros(30 * SAMPLE_RATE_HZ, np.float32)]))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*SWITCHES, f"--use-file-for-fake-audio-capture={microphone}%noloop"],
            headless=True,
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        violations: list[str] = []
        page.on("console", lambda said: violations.append(said.text) if "Policy" in said.text else None)
        page.on("pageerror", lambda error: violations.append(str(error)))
        await page.goto(stack.url)
        yield page
        await browser.close()
    assert violations == []


async def fill(dialog: Locator, title: str) -> None:
    """Everything but the pictures and sounds."""
    await dialog.get_by_label("What it knows").fill(TEXT)
    await dialog.get_by_label("Its name").fill(title)
    await dialog.get_by_label("Whose face is this?").fill("Ada Example")
    await dialog.get_by_label("an avatar may have this face").check()
    await dialog.get_by_label("it may tell others").check()


async def test_an_avatar_is_made_talked_to_and_deleted(page: Page, artifacts: Path) -> None:
    opener = page.get_by_role("button", name="Make your own")
    await opener.focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Make your own avatar")
    await page.screenshot(path=artifacts / "make-empty.png")
    await dialog.get_by_label("Choose a photo").set_input_files(PHOTO)
    await dialog.get_by_role("button", name="Record").click()
    meter = dialog.get_by_role("meter", name="How loud you are")
    await expect(meter).to_be_visible()
    await page.wait_for_function("() => document.querySelector('meter')?.value > 0.05")
    await page.wait_for_timeout(4500)
    await page.screenshot(path=artifacts / "make-recording.png")
    await dialog.get_by_role("button", name="Stop").click()
    await expect(dialog.get_by_label("The speech that you gave")).to_be_visible()
    await fill(dialog, "Ada")
    await dialog.get_by_role("button", name="Make it").click()
    problem = dialog.get_by_role("alert")
    await expect(problem).to_contain_text("Without all of this, nothing is made")  # not to the voice
    await page.screenshot(path=artifacts / "make-consent.png")
    await dialog.get_by_label("its voice may be chosen").check()
    await dialog.get_by_role("button", name="Make it").click()
    await expect(dialog.get_by_role("progressbar")).to_be_visible()
    await page.screenshot(path=artifacts / "make-progress.png")
    meet = dialog.get_by_role("button", name="Talk to Ada")
    await expect(meet).to_be_focused(timeout=MADE_MS)
    await page.wait_for_timeout(300)
    await page.screenshot(path=artifacts / "make-ready.png")
    await page.keyboard.press("Enter")
    await wait_for(page, "p.state === 'speaking' && p.framesDrawn > 5", timeout_s=30)
    await expect(page.get_by_role("button", name="Talking with Ada")).to_be_visible()
    await page.screenshot(path=artifacts / "make-talking.png")
    assert await page.locator(".toast.shown").count() == 0, "what was said at once was in order"

    await page.get_by_role("button", name="Talking with Ada").click()
    await page.screenshot(path=artifacts / "make-picker.png")
    await page.get_by_role("button", name="Delete Ada").click()
    confirm = page.get_by_role("dialog", name="Delete Ada?")
    await expect(confirm.get_by_role("button", name="Keep it")).to_be_focused()
    await page.screenshot(path=artifacts / "make-delete.png")
    await confirm.get_by_role("button", name="Delete Ada").click()
    await expect(page.get_by_role("heading", name="Mira")).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("radio", name="Ada")).to_have_count(0)
    await page.screenshot(path=artifacts / "make-deleted.png")


async def test_who_waits_for_a_maker_that_died_is_told_and_can_cancel(page: Page, artifacts: Path) -> None:
    job = {"object": "job", "id": "job_" + 32 * "0", "status": "queued", "step": "waiting", "progress": 0}
    job |= {"avatar": "ada", "error": None, "created_unix": 0}
    cancelled = []

    async def avatars(route: Route) -> None:
        if route.request.method == "POST":
            await route.fulfill(status=202, json=job)
            return
        answer = await route.fetch()
        gone = {"ready": False, "drawn": False, "reason": ""}
        await route.fulfill(response=answer, json=await answer.json() | {"maker": gone})

    async def jobs(route: Route) -> None:
        if route.request.method == "DELETE":
            cancelled.append(route.request.url)
            job["status"] = "cancelled"
            await route.fulfill(json=job)
            return
        told = f"event: job\ndata: {json.dumps(job)}\n\n"
        await route.fulfill(body=told, content_type="text/event-stream")

    await page.get_by_role("button", name="Make your own").click()
    dialog = page.get_by_role("dialog", name="Make your own avatar")
    await dialog.get_by_label("Choose a photo").set_input_files(PHOTO)
    await fill(dialog, "Ada")
    await page.route("**/v1/avatars", avatars)
    await page.route("**/v1/jobs/*", jobs)
    await dialog.get_by_role("button", name="Make it").click()
    await expect(dialog.get_by_text("Waiting for its turn")).to_be_visible()
    await expect(dialog.get_by_text("Nobody is there to make it just now")).to_be_visible(timeout=10_000)
    await page.screenshot(path=artifacts / "make-waiting.png")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Make your own").click()
    await dialog.get_by_role("button", name="Cancel", exact=True).click()
    await expect(dialog.get_by_label("Its name")).to_have_value("Ada", timeout=10_000)
    assert len(cancelled) == 1


async def test_refusals_are_shown_where_they_belong(page: Page, artifacts: Path) -> None:
    await page.get_by_role("button", name="Make your own").click()
    dialog = page.get_by_role("dialog", name="Make your own avatar")
    await dialog.get_by_role("button", name="Make it").click()
    await expect(dialog.get_by_role("alert")).to_have_count(5)
    await page.screenshot(path=artifacts / "make-missing.png")

    await dialog.get_by_role("button", name="Use the camera").click()
    await page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
    await dialog.get_by_role("button", name="Take the photo").click()  # Chromium's test picture
    await expect(dialog.get_by_alt_text("What you chose")).to_be_visible()
    await fill(dialog, "Mira")
    await dialog.get_by_role("button", name="Make it").click()
    name = dialog.get_by_label("Its name")
    await expect(name).to_be_focused(timeout=15_000)
    await expect(name).to_have_accessible_description(re.compile("is an avatar 'mira' already.*another name"))
    await name.fill("Bea")
    await expect(dialog.get_by_role("alert")).to_have_count(0)
    await name.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("face", timeout=MADE_MS)
    await page.screenshot(path=artifacts / "make-no-face.png")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("radio", name="Bea")).to_have_count(0)
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.get_by_role("button", name="Make your own").click()
    await page.screenshot(path=artifacts / "make-narrow.png")
    sticks_out = "(box) => box.scrollWidth - box.clientWidth"
    assert await dialog.locator(".content").evaluate(sticks_out) <= 0
    assert await page.locator("html").evaluate(sticks_out) <= 0
    await page.keyboard.press("Escape")
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_timeout(400)
    await page.screenshot(path=artifacts / "make-start-narrow.png")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.screenshot(path=artifacts / "make-start-dark.png")
    await page.get_by_role("button", name="Make your own").click()
    await page.screenshot(path=artifacts / "make-dark.png")

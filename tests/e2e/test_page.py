"""A person at the real page, in headless Chromium with a recorded microphone, asks and interrupts."""

import statistics
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.async_api import Page, async_playwright, expect

from parley.bench.questions import spoken
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.files import write_wav
from tests.stack import RunningStack

pytestmark = pytest.mark.e2e

CHROMIUM = "/usr/bin/chromium"
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-ui-for-media-stream "
    "--use-fake-device-for-media-stream --autoplay-policy=no-user-gesture-required"
).split()
GREETING_S = 9.0  # silence in which the avatar greets
ANSWER_S = 3.5  # how much of the answer is heard before it is interrupted
MOUTH_JS = """() => {
  const canvas = document.querySelector('canvas');
  const {width: w, height: h} = canvas;
  const box = canvas.getContext('2d').getImageData(w * .38, h * .58, w * .24, h * .2).data;
  let sum = 0;
  for (let i = 0; i < box.length; i += 4) sum += box[i] + box[i + 1] + box[i + 2];
  return {mouth: sum / box.length, ...pick(window.__parley)};
  function pick(p) { return {state: p.state, generation: p.generation, played: p.playedSamples}; }
}"""


def recording(folder: Path) -> Path:
    """Silence, a question, a while, and an interruption with another question."""
    first = spoken("What is the brightest star in the night sky?", "slt")
    second = spoken("What is the biggest planet?", "slt")
    parts = [
        np.zeros(int(GREETING_S * SAMPLE_RATE_HZ), np.float32),
        first,
        np.zeros(int(ANSWER_S * SAMPLE_RATE_HZ), np.float32),
        second,
        np.zeros(60 * SAMPLE_RATE_HZ, np.float32),
    ]
    path = folder / "microphone.wav"
    write_wav(path, np.concatenate(parts))
    return path


@pytest.fixture
async def page(tmp_path: Path, stack: RunningStack) -> AsyncIterator[Page]:
    microphone = f"--use-file-for-fake-audio-capture={recording(tmp_path)}%noloop"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*SWITCHES, microphone], headless=True
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        await page.goto(stack.url)
        yield page
        await browser.close()


async def wait_for(page: Page, condition: str, *, timeout_s: float) -> None:
    await page.wait_for_function(
        f"() => {{ const p = window.__parley; return {condition}; }}", timeout=timeout_s * 1000
    )


async def captions(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate("() => window.__parley.captions")
    return found


async def test_ask_be_answered_and_interrupt(page: Page, artifacts: Path) -> None:
    await page.get_by_role("button", name="Start talking").click()
    await wait_for(page, "p.captions.some(c => c.role === 'user' && c.done)", timeout_s=40)
    await wait_for(page, "p.state === 'speaking'", timeout_s=10)
    await page.screenshot(path=artifacts / "page-speaking.png")

    looks = []
    for _ in range(30):
        looks.append(await page.evaluate(MOUTH_JS))
        await page.wait_for_timeout(40)
    speaking = [look["mouth"] for look in looks if look["state"] == "speaking"]
    assert len(speaking) > 10
    assert max(speaking) - min(speaking) > 1.0, "the mouth does not move while the avatar speaks"

    shown = await captions(page)
    heard = " ".join(c["text"] for c in shown if c["role"] == "user").lower().split()
    assert len({"brightest", "star", "night", "sky"} & set(heard)) >= 2, heard
    assert any(c["role"] == "assistant" and "sirius" in c["text"].lower() for c in shown), shown

    await wait_for(page, "p.commands.some(c => c.type === 'flush' && c.obeyed !== undefined)", timeout_s=20)
    commands = await page.evaluate("() => window.__parley.commands")
    flush = next(c for c in commands if c["type"] == "flush" and "obeyed" in c)
    assert flush["obeyed"] - flush["received"] < 1000  # how soon is measured by `parley bench barge`
    await wait_for(page, "p.captions.filter(c => c.role === 'user' && c.done).length >= 2", timeout_s=20)
    await wait_for(page, f"p.state === 'speaking' && p.generation >= {flush['generation']}", timeout_s=10)
    await page.wait_for_timeout(2500)
    await page.screenshot(path=artifacts / "page-interrupted.png")
    shown = await captions(page)
    assert any(c["role"] == "assistant" and c["interrupted"] for c in shown), shown
    assert any(c["role"] == "assistant" and "jupiter" in c["text"].lower() for c in shown), shown

    offsets = [abs(d["offset"]) for d in await page.evaluate("() => window.__parley.av")]
    assert len(offsets) > 50
    assert statistics.median(offsets) <= FRAME_SAMPLES


async def test_typing_works_without_a_microphone(page: Page, artifacts: Path) -> None:
    await page.get_by_role("button", name="Type instead").click()
    box = page.get_by_placeholder("Type to Mira")
    await box.fill("What is a black hole?")
    await expect(page.get_by_role("button", name="Send")).to_be_enabled(timeout=20_000)
    await box.press("Enter")
    answered = "p.captions.some(c => c.role === 'assistant' && /black hole|light/i.test(c.visible))"
    await wait_for(page, answered, timeout_s=30)
    await page.screenshot(path=artifacts / "page-typed.png")


async def remembered(page: Page, stack: RunningStack) -> list[dict[str, Any]]:
    person = await page.evaluate("() => localStorage.getItem('parley.person')")
    async with httpx.AsyncClient(base_url=stack.url, headers={"Parley-Person": person}) as http:
        ratings: list[dict[str, Any]] = (await http.get("/v1/memory")).json()["ratings"]
    return ratings


async def test_an_answer_gets_a_thumb_and_a_better_one_and_is_forgotten(
    page: Page, stack: RunningStack, artifacts: Path
) -> None:
    await page.get_by_role("button", name="Type instead").click()
    box = page.get_by_placeholder("Type to Mira")
    await box.fill("What is the biggest planet?")
    await expect(page.get_by_role("button", name="Send")).to_be_enabled(timeout=20_000)
    await box.press("Enter")
    await page.get_by_role("button", name="Transcript", exact=True).click()
    transcript = page.get_by_role("complementary", name="Transcript")
    up, down = (transcript.get_by_role("button", name=f"{what} answer") for what in ("Good", "Bad"))
    await expect(up).to_be_visible(timeout=40_000)
    assert await up.count() == 1, "nobody asked for the greeting"

    await up.click()
    await expect(up).to_have_attribute("aria-pressed", "true")
    await up.click()
    await expect(up).to_have_attribute("aria-pressed", "false")
    assert await remembered(page, stack) == []
    await down.press("Enter")
    await expect(down).to_have_attribute("aria-pressed", "true")
    better = transcript.get_by_label("What would have been better?")
    await better.fill("Jupiter, of course.")
    await page.screenshot(path=artifacts / "page-thumbs.png")
    await better.press("Enter")
    await expect(transcript.get_by_text("better: Jupiter, of course.")).to_be_visible()
    (kept,) = await remembered(page, stack)
    assert (kept["question"], kept["thumb"]) == ("What is the biggest planet?", "down")
    assert "Jupiter" in kept["answer"] and kept["better"] == "Jupiter, of course."

    await page.get_by_role("button", name="About").click()
    await expect(page.get_by_text("Answers you rated")).to_be_visible()
    await page.screenshot(path=artifacts / "page-rated.png")
    await page.get_by_role("button", name="Forget the rating of: What is the biggest planet?").click()
    await expect(page.get_by_text("Answers you rated")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(down).to_have_attribute("aria-pressed", "false")
    assert await remembered(page, stack) == []

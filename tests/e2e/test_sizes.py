"""A reply of half the size, from a machine under strain, is decoded by the page's codecs as it comes."""

import base64

import numpy as np
import pytest
from playwright.async_api import async_playwright

from parley.media.clock import FRAME_SAMPLES
from parley.media.video import VideoEncoder
from tests.e2e.test_page import CHROMIUM, SWITCHES

pytestmark = pytest.mark.e2e

DECODE_JS = """async ({codec, frames}) => {
  const sizes = [], errors = [];
  const decoder = new VideoDecoder({
    output: (picture) => { sizes.push([picture.displayWidth, picture.displayHeight]); picture.close(); },
    error: (error) => errors.push(error.message),
  });
  decoder.configure({codec, optimizeForLatency: true});
  for (const [index, {type, data, drain}] of frames.entries()) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    decoder.decode(new EncodedVideoChunk({type, timestamp: index * 40000, data: bytes}));
    if (drain) await decoder.flush();
  }
  return {sizes, errors};
}"""


def reply(codec: str, size: int) -> list[dict[str, object]]:
    """Three frames of noise as the page's decoder is given them."""
    random, frames = np.random.default_rng(size), []
    with VideoEncoder(codec, size, size) as encoder:
        for index in range(3):
            picture = random.integers(0, 255, (size, size, 3), np.uint8)
            data = encoder.encode(picture, index * FRAME_SAMPLES, keyframe=index == 0)
            frames.append(
                {
                    "type": "delta" if index else "key",
                    "data": base64.b64encode(data).decode(),
                    "drain": index == 2,
                }
            )
    return frames


@pytest.mark.parametrize(("codec", "name"), [("h264", "avc1.42E01E"), ("vp8", "vp8")])
async def test_replies_of_two_sizes_follow_each_other(codec: str, name: str) -> None:
    frames = reply(codec, 256) + reply(codec, 128) + reply(codec, 256)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES, headless=True)
        page = await browser.new_page()
        # Decoders exist in secure contexts only.
        await page.route("https://parley.test/", lambda route: route.fulfill(body="<html>"))
        await page.goto("https://parley.test/")
        told = await page.evaluate(DECODE_JS, {"codec": name, "frames": frames})
        await browser.close()
    assert told["errors"] == []
    assert told["sizes"] == [[256, 256]] * 3 + [[128, 128]] * 3 + [[256, 256]] * 3

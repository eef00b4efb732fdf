/**
 * The page in a real browser: speaks to it, reads what it shows and how exactly, and breaks things on purpose.
 *
 *   npm run mock &   then   npm run e2e -- [--url http://127.0.0.1:8090] [--out FOLDER] [--only spokenTurn]
 *
 * Needs Debian's chromium, ffmpeg and espeak-ng. Screenshots of every state, wide and narrow, light and dark, go to FOLDER
 * (default: a fresh temporary one). Ends with status 1 if a check fails.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const { values } = parseArgs({ options: { url: { type: "string", default: "http://127.0.0.1:8090" }, out: { type: "string" }, only: { type: "string" } } });
const scratch = mkdtempSync(join(tmpdir(), "parley-web-"));
const shots = values.out ?? join(scratch, "shots");
mkdirSync(shots, { recursive: true });

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };
const failures = [];

function check(what, ok, found = "") {
  console.log(`${ok ? "ok  " : "FAIL"} ${what}${found === "" ? "" : `: ${JSON.stringify(found)}`}`);
  if (!ok) failures.push(what);
}

/** 2 s of silence, a spoken question, 60 s of silence. */
function makeSpeech() {
  const voice = join(scratch, "voice.wav");
  const file = join(scratch, "speech.wav");
  execFileSync("espeak-ng", ["-s", "150", "-w", voice, "What do you see when you look at the night sky?"]);
  execFileSync("ffmpeg", ["-loglevel", "error", "-i", voice, "-af", "adelay=2000,apad=pad_dur=60", "-ar", "48000", "-ac", "1", file]);
  return file;
}

const speech = makeSpeech();

async function withPage(options, use) {
  const { viewport = WIDE, dark = false, deny = false, query = "", url = values.url, ready = "Start talking" } = options;
  const profile = mkdtempSync(join(scratch, "profile-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    viewport,
    colorScheme: dark ? "dark" : "light",
    deviceScaleFactor: viewport === NARROW ? 2 : 1,
    hasTouch: viewport === NARROW,
    args: [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${speech}%noloop`,
      "--autoplay-policy=no-user-gesture-required", "--host-resolver-rules=MAP parley.test 127.0.0.1",
      ...(deny ? ["--deny-permission-prompts"] : ["--use-fake-ui-for-media-stream"]),
    ],
  });
  const page = context.pages()[0];
  page.on("pageerror", (error) => check(`no script error (${error.message})`, false));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) check(`no policy violation (${message.text()})`, false);
  });
  try {
    await page.goto(`${url}/${query}`);
    await page.getByText(ready).waitFor();
    await use(page, async (name) => {
      const suffix = `${viewport === WIDE ? "wide" : "narrow"}-${dark ? "dark" : "light"}`;
      await page.screenshot({ path: join(shots, `${name}-${suffix}.png`) });
    });
  } finally {
    await context.close();
  }
}

const mock = (changes) => fetch(`${values.url}/mock`, { method: "POST", body: JSON.stringify(changes) });
const state = (page) => page.evaluate(() => window.__parley.state);
const reaches = (page, wanted, timeout = 60_000) =>
  page.waitForFunction((mood) => window.__parley.state === mood, wanted, { timeout, polling: 20 });
const start = (page) => page.getByRole("button", { name: "Start talking" }).click();
const type = async (page, text) => {
  await page.getByRole("textbox").fill(text);
  await page.keyboard.press("Enter");
};

/** The whole of a spoken turn, in one look. */
async function talkThrough(page, shoot) {
  await page.waitForTimeout(600);
  await shoot("1-start");
  await start(page);
  await reaches(page, "listening");
  await page.waitForTimeout(900);
  await shoot("2-listening");
  await reaches(page, "hearing");
  await page.waitForTimeout(1300);
  await shoot("3-hearing");
  await reaches(page, "thinking");
  await shoot("4-thinking");
  await reaches(page, "speaking");
  await page.waitForTimeout(3800);
  await shoot("5-speaking");
}

async function spokenTurn() {
  await withPage({}, async (page, shoot) => {
    await talkThrough(page, shoot);
    const view = await page.evaluate(() => {
      const { captions, av, framesDrawn, framesLate, underruns, video, firstSound } = window.__parley;
      return { captions, offsets: av.map(({ offset }) => offset / 24), framesDrawn, framesLate, underruns, video, firstSound };
    });
    const [person, reply] = view.captions;
    check("the person's words are shown", person?.role === "user" && person.visible.length > 10, person?.visible);
    check("the avatar's words are shown as they are spoken", reply?.visible.length > 0 && reply.visible.length < reply.text.length, reply?.visible);
    check("video is decoded by WebCodecs", view.video === "h264", view.video);
    check("frames are drawn", view.framesDrawn > 40, view.framesDrawn);
    const offsets = view.offsets.toSorted((a, b) => a - b);
    const spread = { least: offsets[0], median: offsets[offsets.length >> 1], most: offsets.at(-1) };
    check("each frame is drawn within one frame of its sound (ms)", spread.most <= 0 && offsets[offsets.length >> 5] > -60, spread);
    check("the voice never waited", view.underruns === 0, { underruns: view.underruns, late: view.framesLate, firstSound: view.firstSound });

    await page.keyboard.press("Escape");
    await reaches(page, "listening");
    const [command] = await page.evaluate(() => window.__parley.commands.filter(({ type }) => type === "flush"));
    check("a flush is obeyed within a few ms", command.obeyed - command.received < 60, command.obeyed - command.received);
    check("the caption stops where it was cut", (await page.evaluate(() => window.__parley.captions[1])).interrupted);
    const before = await page.evaluate(() => window.__parley.session);
    await page.getByRole("button", { name: "Transcript" }).click();
    await page.waitForTimeout(300);
    await shoot("6-transcript");
    await page.getByRole("button", { name: /Answers in/ }).click();
    await shoot("7-latency");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Close the transcript" }).click();

    await mock({ refuse: true, drop: true });
    await page.getByText("Trying again in").waitFor();
    await page.waitForTimeout(600);
    await shoot("8-gone");
    await page.getByText(/Trying again in ([4-9]|1\d) s/).waitFor();
    await mock({ refuse: false });
    await page.getByRole("button", { name: "Try now" }).click();
    await reaches(page, "listening");
    check("the same conversation goes on", (await page.evaluate(() => window.__parley.session)) === before);
    check("its history is kept", (await page.evaluate(() => window.__parley.captions.length)) >= 2);

    await mock({ full: true, drop: true });
    await page.getByText("All places are taken").waitFor();
    await page.waitForTimeout(400);
    await shoot("9-full");
    await mock({ full: false });
    await reaches(page, "listening", 30_000);
    check("it comes in by itself when there is room", true);
    await page.getByRole("button", { name: "About this avatar" }).click();
    await page.waitForTimeout(400);
    await shoot("10-about");
    await page.keyboard.press("Escape");
    await page.waitForTimeout(4000);
    check("nothing is sent while nobody speaks", !(await page.evaluate(() => window.__parley.sendingAudio)));
  });
}

async function microphoneDenied() {
  await withPage({ deny: true }, async (page, shoot) => {
    await start(page);
    await page.getByText("The microphone is blocked").waitFor();
    await reaches(page, "listening");
    await page.waitForTimeout(500);
    await shoot("11-microphone-denied");
    await page.getByRole("button", { name: "Just type" }).click();
    await type(page, "Hello there");
    await reaches(page, "speaking");
    check("typing works without a microphone", (await page.evaluate(() => window.__parley.captions[0].text)) === "Hello there");
  });
}

async function keyAsked() {
  await mock({ key: "secret" });
  const profile = mkdtempSync(join(scratch, "profile-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium", viewport: WIDE, args: ["--headless=new", "--no-sandbox", "--disable-gpu"],
  });
  const page = context.pages()[0];
  await page.goto(values.url);
  await page.getByLabel("This server asks for a key.").waitFor();
  await page.screenshot({ path: join(shots, "12-key-wide-light.png") });
  await page.getByRole("textbox").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByLabel(/not valid/).fill("secret");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Start talking" }).waitFor();
  check("a key opens the door", true);
  await context.close();
  await mock({ key: "" });
}

async function otherWays() {
  await withPage({ query: "?avatar=nobody" }, async (page, shoot) => {
    await start(page);
    await page.getByText("Nobody by that name here").waitFor();
    await shoot("13-unknown");
    await page.getByRole("alert").getByRole("button", { name: "Theo" }).click();
    await reaches(page, "listening");
    check("another avatar can be chosen", true);
    await page.getByRole("button", { name: "End the conversation" }).click();
    await start(page);
    await reaches(page, "listening");
    check("a conversation can be ended and another one begun", (await page.evaluate(() => window.__parley.captions.length)) === 0);
  });
  const port = new URL(values.url).port;
  await withPage({ url: `http://parley.test:${port}`, ready: "not secure enough" }, async () => {
    check("an address that is not secure is told", true);
  });
  for (const video of ["jpeg", "vp8"]) {
    await withPage({ query: `?video=${video}` }, async (page) => {
      await page.getByRole("button", { name: "Type instead" }).click();
      await reaches(page, "listening");
      await type(page, "Hello");
      await reaches(page, "speaking");
      await page.waitForTimeout(2000);
      check(`${video} frames are drawn`, (await page.evaluate(() => window.__parley.framesDrawn)) > 20);
    });
  }
  await withPage({}, async (page, shoot) => {
    await start(page);
    await reaches(page, "listening");
    await page.getByRole("radio", { name: "Push to talk" }).check();
    await page.locator("body").click({ position: { x: 5, y: 400 } });
    await page.keyboard.down(" ");
    await page.waitForTimeout(3500);
    check("the talk key is heard", (await state(page)) === "hearing");
    await shoot("14-push-to-talk");
    await page.keyboard.up(" ");
    await reaches(page, "speaking");
    check("letting go is answered", true);
    await page.getByRole("button", { name: "Talking with Mira" }).click();
    await page.waitForTimeout(300);
    await shoot("15-picker");
  });
}

async function looks() {
  for (const viewport of [WIDE, NARROW]) {
    for (const dark of [false, true]) {
      if (viewport === WIDE && !dark) continue;
      await withPage({ viewport, dark }, async (page, shoot) => {
        await talkThrough(page, shoot);
        await page.getByRole("button", { name: "Transcript" }).click();
        await page.waitForTimeout(300);
        await shoot("6-transcript");
        await page.getByRole("button", { name: "Close the transcript" }).click();
        await page.getByRole("button", { name: "About this avatar" }).click();
        await page.waitForTimeout(300);
        await shoot("10-about");
        await page.keyboard.press("Escape");
        await page.getByRole("radio", { name: "Push to talk" }).check();
        await page.waitForTimeout(200);
        await shoot("14-push-to-talk");
        await mock({ refuse: true, drop: true });
        await page.getByText("Trying again in").waitFor();
        await page.waitForTimeout(600);
        await shoot("8-gone");
        await mock({ refuse: false });
      });
    }
  }
  await withPage({ viewport: { width: 360, height: 640 } }, async (page, shoot) => {
    await start(page);
    await reaches(page, "speaking");
    await page.waitForTimeout(2500);
    await shoot("16-smallest");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check("nothing sticks out at 360 px", overflow <= 0, overflow);
  });
}

try {
  for (const scenario of [spokenTurn, microphoneDenied, keyAsked, otherWays, looks]) {
    if (!values.only || values.only === scenario.name) await scenario();
  }
} finally {
  await mock({ refuse: false, full: false, key: "" });
  if (values.out) rmSync(scratch, { recursive: true, force: true });
}
console.log(`Screenshots: ${shots}`);
process.exitCode = failures.length === 0 ? 0 : 1;

import { beforeEach, describe, expect, it, vi } from "vitest";
import { Api } from "../src/lib/api";
import { Making, nameOf } from "../src/lib/making.svelte";

const JOB = { object: "job", id: "job_1", status: "queued", step: "waiting", progress: 0, avatar: "ada", error: null };
const event = (changes: object): string => `event: job\ndata: ${JSON.stringify({ ...JOB, ...changes })}\n\n`;

/** A server that answers in the order given; remembers what it was asked. */
class Server {
  readonly asked: { method: string; path: string; form: FormData | undefined }[] = [];
  constructor(private readonly answers: (Response | Error)[]) {}

  readonly fetch = vi.fn(async (input: URL | RequestInfo, init: RequestInit = {}) => {
    const form = init.body instanceof FormData ? init.body : undefined;
    this.asked.push({ method: init.method ?? "GET", path: new URL(String(input)).pathname, form });
    const answer = this.answers.shift();
    if (!(answer instanceof Response)) throw answer ?? new Error("nothing more was expected");
    return answer;
  });
}

const json = (body: unknown, status = 202): Response => new Response(JSON.stringify(body), { status });
const refusal = (param: string | null, message: string, status = 400, code = "invalid_request"): Response =>
  json({ error: { message, code, param } }, status);

function makingAt(server: Server): { making: Making; made: string[] } {
  const made: string[] = [];
  const api = new Api("http://127.0.0.1/", "", server.fetch as typeof fetch);
  const making = new Making(() => api, async (name) => void made.push(name), async () => undefined);
  making.title = "Ada Lovelace";
  making.person = " Ada Example ";
  making.text = "I was born in a lighthouse.";
  making.photo = new Blob(["p"]);
  making.agreed = { face: true, voice: false, text: true };
  return { making, made };
}

describe("making an avatar", () => {
  let server: Server;
  beforeEach(() => (server = new Server([])));

  it("sends what was given, and follows it to its end", async () => {
    server = new Server([
      json(JOB),
      new Response(event({}) + event({ status: "running", step: "face", progress: 0.5 }) + event({ status: "succeeded", progress: 1 })),
    ]);
    const { making, made } = makingAt(server);
    await making.submit();
    const [sent, watched] = server.asked;
    expect([sent?.method, sent?.path, watched?.path]).toEqual(["POST", "/v1/avatars", "/v1/jobs/job_1"]);
    const form = sent?.form;
    expect([form?.get("name"), form?.get("title"), form?.get("person")]).toEqual(["ada-lovelace", "Ada Lovelace", "Ada Example"]);
    expect(form?.get("consent")).toBe("face,text");
    expect(form?.get("statement")).toBe(
      "Ada Example agrees that an avatar of their face and their text is made by machine, and shown and talked with here.",
    );
    expect(await (form?.get("text") as File).text()).toBe("I was born in a lighthouse.");
    expect([form?.has("speech"), form?.has("drawn")]).toEqual([false, false]);
    expect([made, making.made, making.busy]).toEqual([["ada"], "ada", false]);
  });

  it("names what is missing, and sends nothing", async () => {
    const { making } = makingAt(server);
    making.photo = undefined;
    making.text = " ";
    making.title = making.person = "";
    making.speech = new Blob(["s"]); // whose voice nobody agreed to
    await making.submit();
    expect(Object.keys(making.problems).sort()).toEqual(["consent", "person", "photo", "text", "title"]);
    making.touch("text");
    expect(making.problems.text).toBeUndefined();
    making.photo = new Blob([new Uint8Array(21 << 20)]);
    await making.submit();
    expect(making.problems.photo).toContain("20 MB");
    expect(server.asked).toEqual([]);
  });

  it.each([
    [refusal("name", "There is an avatar 'ada' already. Fix: Choose another name.", 409, "avatar_exists"), "title", "There is an avatar 'ada' already. Choose another name."],
    [refusal("speech", "There are 1.0 s of sound.", 400, "media_too_short"), "speech", "There are 1.0 s of sound."],
    [refusal(null, "No avatars can be made here now.", 503, "maker_unavailable"), "", "No avatars can be made here now."],
    [new TypeError("failed to fetch"), "", "The server cannot be reached. Nothing is lost here; try again."],
  ])("shows a refusal where it belongs and keeps what was given", async (answer, field, words) => {
    server = new Server([answer]);
    const { making } = makingAt(server);
    await making.submit();
    expect(making.problems).toEqual({ [field]: words });
    expect([making.busy, making.title]).toEqual([false, "Ada Lovelace"]);
  });

  it.each([
    ["face", "no_face", "photo"],
    ["voice", "media_error", "speech"],
    ["placing", "avatar_exists", "title"],
    ["placing", "config_error", ""],
  ])("a job that fails at %s goes back to the form", async (step, code, field) => {
    const error = { code, message: "It failed.", fix: "Do this." };
    server = new Server([json(JOB), new Response(event({ status: "failed", step, error }))]);
    const { making, made } = makingAt(server);
    await making.submit();
    expect(making.problems).toEqual({ [field]: "It failed. Do this." });
    expect([making.job, made]).toEqual([undefined, []]);
  });

  it("goes on after a lost connection, and gives up on a forgotten job", async () => {
    server = new Server([
      json(JOB),
      new Response(event({ status: "running", step: "face", progress: 0.5 })),
      new TypeError("gone"),
      new Response(event({ status: "running", step: "face", progress: 0.5 }) + 'event: error\ndata: {"error": {"code": "unknown_job", "message": "It is forgotten."}}\n\n'),
    ]);
    const { making } = makingAt(server);
    await making.submit();
    expect(server.asked.length).toBe(4);
    expect(making.problems).toEqual({ "": "It is forgotten." });
  });

  it("is cancelled", async () => {
    server = new Server([json(JOB), new Response(event({ status: "cancelled" }))]);
    const { making, made } = makingAt(server);
    await making.submit();
    expect([making.job, making.problems, made, making.text]).toEqual([undefined, {}, [], "I was born in a lighthouse."]);
  });
});

it("makes names of titles", () => {
  expect(["Ada", "Zoë Müller-Lüdenscheidt", "  R2 D2! "].map((title) => nameOf(title))).toEqual(["ada", "zoe-muller-ludenscheidt", "r2-d2"]);
  expect(nameOf("李", () => "12345678")).toBe("avatar-12345678");
});

import { ApiError, type Api, type Job } from "./api";

/** The parts of the form, and "" for what belongs to none. */
export type Field = "photo" | "speech" | "text" | "title" | "person" | "consent" | "drawn" | "";
type Part = "face" | "voice" | "text";

export const SPEECH_SECONDS = { least: 3, most: 60 } as const;
const MOST_BYTES: Partial<Record<Field, number>> = { photo: 20 << 20, speech: 20 << 20, text: 1 << 20 };
const RETRY_MS = 1000;
/** Where the server's names of what is wrong are shown. */
const FIELD_OF: Record<string, Field> = {
  photo: "photo", speech: "speech", text: "text", name: "title", title: "title", drawn: "drawn",
  person: "person", consent: "consent", statement: "person", evidence: "consent",
};
const FIELD_OF_STEP: Partial<Record<Job["step"], Field>> = { text: "text", voice: "speech", face: "photo" };
const PARTS: Record<Part, string> = { face: "their face", voice: "their voice", text: "their text" };

/** One avatar that a person makes of themselves: what they give, what becomes of it, and what is wrong with it. */
export class Making {
  title = $state("");
  person = $state("");
  text = $state("");
  photo = $state.raw<Blob>();
  speech = $state.raw<Blob>();
  drawn = $state(false);
  agreed = $state<Record<Part, boolean>>({ face: false, voice: false, text: false });
  /** What is wrong, by where it is shown. */
  problems = $state.raw<Partial<Record<Field, string>>>({});
  sending = $state(false);
  job = $state.raw<Job>();
  private watching: AbortController | undefined;

  constructor(
    private readonly api: () => Api,
    /** The avatar of that name is there. */
    private readonly onMade: (name: string) => Promise<void>,
    private readonly pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms)),
  ) {}

  readonly busy = $derived(this.sending || this.job?.status === "queued" || this.job?.status === "running");
  readonly made = $derived(this.job?.status === "succeeded" ? this.job.avatar : "");
  /** What the person has to agree to. */
  readonly needed = $derived<Part[]>(this.speech ? ["face", "voice", "text"] : ["face", "text"]);
  /** The words that are kept as their consent. */
  readonly statement = $derived(
    `${this.person.trim() || "The person"} agrees that an avatar of ${listed(this.needed.map((part) => PARTS[part]))} ` +
      "is made by machine, and shown and talked with here.",
  );

  /** Checks what was given, sends it, and follows the making to its end. */
  async submit(): Promise<void> {
    this.problems = this.missing();
    if (Object.keys(this.problems).length > 0 || this.busy) return;
    this.sending = true;
    try {
      this.job = await this.api().enrol(this.form());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problems = { [FIELD_OF[error.param] ?? ""]: wordsOf(error) };
      return;
    } finally {
      this.sending = false;
    }
    await this.follow(this.job.id);
  }

  /** Stops the making; nothing of it stays on the server. */
  async cancel(): Promise<void> {
    if (!this.job) return;
    try {
      await this.api().cancelJob(this.job.id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // it has ended, and its last state is on its way
    }
  }

  /** Begins anew, with nothing given. */
  reset(): void {
    this.watching?.abort();
    this.title = this.person = this.text = "";
    this.photo = this.speech = this.job = undefined;
    this.drawn = this.sending = false;
    this.agreed = { face: false, voice: false, text: false };
    this.problems = {};
  }

  /** Forgets what is wrong with a part: it is being changed. */
  touch(field: Field): void {
    if (!(field in this.problems)) return;
    const { [field]: _, ...rest } = this.problems;
    this.problems = rest;
  }

  private async follow(jobId: string): Promise<void> {
    this.watching = new AbortController();
    const { signal } = this.watching;
    while (this.busy && !signal.aborted) {
      try {
        for await (const job of this.api().watch(jobId, signal)) this.job = job;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (signal.aborted) return;
        if (error.code === "unknown_job") return this.fail({ "": wordsOf(error) });
      }
      if (this.busy) await this.pause(RETRY_MS); // the connection was lost; the making goes on
    }
    if (signal.aborted) return;
    const { status, step, error, avatar } = this.job ?? {};
    if (status === "succeeded") await this.onMade(avatar ?? "");
    else if (error) {
      const field = error.code === "avatar_exists" ? "title" : (FIELD_OF_STEP[step ?? "done"] ?? "");
      this.fail({ [field]: `${error.message} ${error.fix}`.trim() });
    } else this.fail({});
  }

  /** Back to the form, with all that was given. */
  private fail(problems: Partial<Record<Field, string>>): void {
    this.job = undefined;
    this.problems = problems;
  }

  private missing(): Partial<Record<Field, string>> {
    const out: Partial<Record<Field, string>> = {};
    if (!this.photo) out.photo = "Add a photo of the face, from the front.";
    if (this.text.trim() === "") out.text = "Write or paste what the avatar shall know.";
    if (this.title.trim() === "") out.title = "Give the avatar a name.";
    if (this.person.trim().length < 2) out.person = "Say whose face this is.";
    if (this.needed.some((part) => !this.agreed[part])) out.consent = "Without all of this, nothing is made.";
    const sizes = { photo: this.photo?.size, speech: this.speech?.size, text: new Blob([this.text]).size };
    for (const field of ["photo", "speech", "text"] as const) {
      const most = MOST_BYTES[field] ?? Infinity;
      if ((sizes[field] ?? 0) > most) out[field] = `This is larger than ${most >> 20} MB.`;
    }
    return out;
  }

  private form(): FormData {
    const form = new FormData();
    form.set("name", nameOf(this.title));
    form.set("title", this.title.trim());
    form.set("person", this.person.trim());
    form.set("consent", this.needed.join(","));
    form.set("statement", this.statement);
    form.set("evidence", "ticked on the page");
    if (this.drawn) form.set("drawn", "true");
    form.set("text", new Blob([this.text], { type: "text/plain" }), "text.txt");
    if (this.photo) form.set("photo", this.photo, "photo");
    if (this.speech) form.set("speech", this.speech, "speech");
    return form;
  }
}

/** A title as a name for addresses; titles without Latin letters get one by chance. */
export function nameOf(title: string, random = (): string => crypto.randomUUID().slice(0, 8)): string {
  const plain = title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const name = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 48);
  return name || `avatar-${random()}`;
}

/** "a, b and c" */
function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** The server's words, cause and fix, as one sentence after the other. */
const wordsOf = (error: ApiError): string =>
  error.reason.replace(" Fix: ", " ") || "The server cannot be reached. Nothing is lost here; try again.";

/**
 * A stand-in for the gateway, to work on the page without the rest of Parley. Needs ffmpeg.
 *
 *   npm run build && npm run mock        http://127.0.0.1:8090 serves the built page
 *   PARLEY_WEB_BACKEND=http://127.0.0.1:8090 npm run dev      the page with hot reload
 *
 * Speak and it answers with a tone and a drawn face. `/think` as typed text keeps it thinking. Troubles on demand:
 *   curl -d '{"full": true}' http://127.0.0.1:8090/mock       full, key ("secret"), refuse, drop (true: now)
 */

import { randomUUID } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { drawFace, encode } from "./mock-face.mjs";
import { ENGINES, MockTalk } from "./mock-talk.mjs";

const PORT = Number(process.env.PORT ?? 8090);
const PAGE = fileURLToPath(new URL("../../gateway/static", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const AVATARS = [
  { name: "mira", title: "Mira", description: "A curious night owl who loves the stars, and a good cup of tea." },
  { name: "theo", title: "Theo", description: "A patient gardener who has read too many history books." },
];

const mode = { full: false, key: "", refuse: false };
const sessions = new Map();
const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => "realtime" });

const json = (response, status, body) => {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
};
const refused = (code, message) => ({ error: { code, message } });

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://mock");
  if (mode.refuse && pathname !== "/mock") return request.socket.destroy();
  if (pathname === "/mock") {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { drop, ...changes } = JSON.parse(body);
    Object.assign(mode, changes);
    if (drop) for (const client of wss.clients) client.terminate();
    return json(response, 200, mode);
  }
  const isApi = pathname.startsWith("/v1/") && !pathname.endsWith("/portrait");
  if (isApi && mode.key && request.headers.authorization !== `Bearer ${mode.key}`) {
    return json(response, 401, refused("invalid_api_key", "The API key is not valid."));
  }
  if (pathname === "/v1/avatars") {
    return json(response, 200, { data: AVATARS.map((a) => ({ ...a, portrait: `/v1/avatars/${a.name}/portrait` })) });
  }
  if (pathname.endsWith("/portrait")) {
    const hue = pathname.includes("theo") ? 1 : 0;
    const [frame] = await encode("jpeg", [drawFace({ mouth: 0, blink: 0, sway: 0, hue })]);
    return response.writeHead(200, { "Content-Type": "image/jpeg" }).end(frame.data);
  }
  if (pathname === "/v1/models") return json(response, 200, { data: AVATARS.map(({ name }) => ({ id: name, object: "model" })) });
  if (pathname === "/v1/realtime/client_secrets") return json(response, 200, { value: `ek_${randomUUID()}`, expires_at: 0 });
  if (pathname === "/readyz") {
    const max = 4;
    const services = Object.fromEntries(Object.entries(ENGINES).map(([name, engine]) => [name, { ready: true, engine }]));
    return json(response, 200, { ready: true, services, sessions: { active: mode.full ? max : wss.clients.size, max } });
  }
  const file = join(PAGE, normalize(pathname === "/" ? "/index.html" : pathname));
  if (!file.startsWith(PAGE) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
});

server.on("upgrade", (request, socket, head) => {
  const { searchParams } = new URL(request.url, "http://mock");
  const avatar = AVATARS.find(({ name }) => name === searchParams.get("model"));
  if (mode.refuse) return socket.destroy();
  if (!avatar || mode.full) return socket.end(`HTTP/1.1 ${avatar ? "503 Full" : "404 Not Found"}\r\n\r\n`);
  wss.handleUpgrade(request, socket, head, (client) => {
    const session = searchParams.get("session") ?? `sess_${randomUUID()}`;
    if (!sessions.has(session)) sessions.set(session, []);
    new MockTalk(client, { avatar, hue: AVATARS.indexOf(avatar), session, items: sessions.get(session) });
  });
});

server.listen(PORT, "127.0.0.1", () => console.log(`Mock gateway: http://127.0.0.1:${PORT}`));

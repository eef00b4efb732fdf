import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { contentSecurityPolicy } from "./policy";

/** Where `npm run dev` finds a gateway (or the mock server). */
const backend = process.env["PARLEY_WEB_BACKEND"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte(), contentSecurityPolicy()],
  base: "./",
  build: { outDir: "../gateway/static", emptyOutDir: true, assetsInlineLimit: 0, target: "es2022" },
  worker: { format: "es" },
  server: { proxy: { "/v1": { target: backend, ws: true }, "/readyz": backend } },
  test: { include: ["tests/**/*.test.ts"] },
});

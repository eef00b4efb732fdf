import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { contentSecurityPolicy } from "./policy";

/** The review page, built by itself: what talks to an avatar and what corrects a corpus share no file. */
export default defineConfig({
  plugins: [svelte(), contentSecurityPolicy({ "media-src": "'self' blob:" })],
  base: "./",
  build: {
    outDir: "../training/studio/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    rollupOptions: { input: "studio.html" },
  },
  server: { proxy: { "/studio/api": process.env["PARLEY_STUDIO_BACKEND"] ?? "http://127.0.0.1:8090" } },
});

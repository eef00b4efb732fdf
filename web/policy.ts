import type { Plugin } from "vite";

const rules = {
  "default-src": "'none'",
  "script-src": "'self'",
  "worker-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self' blob: data:",
  "connect-src": "'self'",
  "media-src": "'self' blob:",
  "font-src": "'none'",
  "base-uri": "'none'",
  "form-action": "'none'",
};

/** A page carries its own policy, whatever serves it. Only in builds: the dev server injects inline styles. */
export function contentSecurityPolicy(more: Record<string, string> = {}): Plugin {
  const policy = Object.entries({ ...rules, ...more }).map((rule) => rule.join(" ")).join("; ");
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: policy }, injectTo: "head-prepend" },
    ],
  };
}

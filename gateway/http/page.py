"""The web page, as `web/` builds it into `gateway/static/`."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

STATIC = Path(__file__).resolve().parent.parent / "static"
_FOREVER = "public, max-age=31536000, immutable"  # names of built files carry a hash of their content
_MISSING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Parley: the page is not built</title>
<style>body{font:1.1rem/1.6 system-ui;max-width:40rem;margin:15vh auto;padding:0 1rem}
code{background:#8882;padding:.1em .4em;border-radius:.3em}</style>
<h1>The page is not built yet</h1>
<p>The gateway runs, but its web page has to be built once. In the repository:</p>
<p><code>make up</code>, or <code>cd web &amp;&amp; npm ci &amp;&amp; npm run build</code></p>
<p>Then reload. The API works without it: <code>/v1/realtime</code>, <code>/v1/models</code>,
<code>/readyz</code>.</p>
"""


def router(folder: Path = STATIC) -> APIRouter:
    """`/` and every file below it; must be included last."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def index() -> Response:
        page = folder / "index.html"
        if not page.is_file():
            return HTMLResponse(_MISSING, 503)
        return FileResponse(page, headers={"Cache-Control": "no-cache"})

    @routes.get("/{path:path}")
    def file(path: str) -> Response:
        found = (folder / path).resolve()
        if not found.is_relative_to(folder.resolve()) or not found.is_file():
            raise HTTPException(404, f"There is no /{path[:200]}.")
        caching = _FOREVER if path.startswith("assets/") else "no-cache"
        return FileResponse(found, headers={"Cache-Control": caching})

    return routes

"""Opens a page in a real Chromium, and hears from it what it saw."""

import contextlib
import http.server
import json
import queue
import subprocess
import threading
from pathlib import Path

from tests.parts.machine import BROWSER_FLAGS, need_browser
from tests.parts.programs import path_of

#: Under a name that is no loopback name, as a page of the internet is.
ELSEWHERE = "elsewhere.test"
_PAGE = """<!doctype html><meta charset=utf-8><script>
(async () => {{
  const saw = {{}};
  const tried = async (name, act) => {{ try {{ saw[name] = await act() }} catch (error) {{ saw[name] = "" + error }} }};
  {script}
  await fetch("{report}", {{method: "POST", mode: "no-cors", body: JSON.stringify(saw)}});
}})();
</script>"""


class Pages:
    """A web server of somebody else, on an own port."""

    def __init__(self) -> None:
        self.body = b""
        self.reports: queue.Queue[dict[str, str]] = queue.Queue()
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(pages.body)

            def do_POST(self):
                pages.reports.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.answer(b"")

            def answer(self, body):
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def seen_by_page(directory: Path, script: str) -> dict[str, str]:
    """Have a page of another site run a script, and give what it saw.

    Args:
        directory: For what the browser keeps.
        script: JavaScript; ``await tried(name, function)`` notes what came of a function.

    """
    need_browser()
    pages = Pages()
    with contextlib.closing(pages):
        pages.body = _PAGE.format(script=script, report=f"http://127.0.0.1:{pages.port}/").encode()
        with subprocess.Popen(
            _command(directory, f"http://{ELSEWHERE}:{pages.port}/"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser:
            try:
                return pages.reports.get(timeout=120)
            finally:
                browser.terminate()


def shown_at(directory: Path, url: str) -> str:
    """Go there, and give the document that the browser has then."""
    need_browser()
    done = subprocess.run(
        _command(directory, "--dump-dom", url), capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def _command(directory: Path, *arguments: str) -> list[str]:
    own = (f"--user-data-dir={directory / 'browser'}", "--host-resolver-rules=MAP *.test 127.0.0.1")
    return [path_of("chromium"), *BROWSER_FLAGS, *own, *arguments]

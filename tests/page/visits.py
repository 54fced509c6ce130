"""Pages that are open in the browser, and all that they complain of."""

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page

#: What a browser says by itself of an answer that refuses, or that did not come.
NOT_LOADED = r"Failed to load resource|net::ERR_"
_MS_MAX = 20_000


class Visits:
    """Opens pages, each in a context of its own, and fails what was open if a page complained.

    A page may not write to the console as an error, break off with an error, break its own policy of content, or ask
    another place for anything.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(self, url: str, *, path: str = "", may_say: str = "", **options: Any) -> Page:
        """Open the page of a manager.

        Args:
            url: Root of the API, without a slash at its end.
            path: Where to go below ``/ui/``.
            may_say: Pattern of complaints that the test brings about.
            options: Of the context, such as ``color_scheme`` and ``viewport``.

        """
        context = self._browser.new_context(**{"base_url": f"{url}/ui/", **options})
        self._contexts.append(context)
        context.set_default_timeout(_MS_MAX)
        host = urlsplit(url).netloc

        def complain(text: str) -> None:
            if not (may_say and re.search(may_say, text)):
                self.complaints.append(f"{page.url}: {text}")

        context.on("console", lambda said: said.type == "error" and complain(said.text))
        context.on("weberror", lambda met: complain(f"page error: {met.error}"))
        context.on(
            "request",
            lambda asked: (
                urlsplit(asked.url).netloc not in {host, ""} and complain(f"asks elsewhere: {asked.url}")
            ),
        )
        page = context.new_page()
        page.goto(path)
        page.get_by_role("main").wait_for()
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        assert not self.complaints, "\n".join(self.complaints)


def lost_banner(page: Page) -> Locator:
    """Find what says that the page does not hear from the manager."""
    return page.get_by_role("status").filter(has_text="Not connected to the manager")

"""A headless Chromium of the system, driven by Playwright, which downloads none of its own."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page as Tab, sync_playwright

__all__ = ["Page", "opened"]

FLAGS = (
    "--no-sandbox", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-quic", "--disable-sync", "--use-gl=angle",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
)  # fmt: skip
"""WebGL is drawn by the processor: a machine without a screen has no other."""

LOCAL = ("file:", "data:", "blob:", "about:")


class Page:
    """One tab.

    `complaints` are the errors of the console and of scripts, `requests` the URLs asked for.
    """

    def __init__(self, tab: Tab) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._tab = tab
        self._session = tab.context.new_cdp_session(tab)
        tab.on("pageerror", lambda error: self.complaints.append(error.stack or error.message))
        tab.on("console", lambda said: self._hear(said.type, said.text))
        tab.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "assert"):
            self.complaints.append(text)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol, and return its result."""
        return dict(self._session.send(method, params))

    def size(self, width: int, height: int, *, dark: bool = False, touch: bool = False) -> None:
        """Set the viewport in CSS pixels, and whether the reader likes it dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        self._tab.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")

    def open(self, path: Path) -> None:
        """Load a file, and wait until its script has finished."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.documentElement?.dataset.ready === 'true'")

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript; RuntimeError if it throws.

        Not by `Tab.evaluate`, whose `eval` the page's own policy refuses.
        """
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression: str, *, seconds: float = 60.0) -> None:
        """Wait until an expression is true; RuntimeError if it never is."""
        deadline = time.monotonic() + seconds
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not true within {seconds} s: {expression}")
            self._tab.wait_for_timeout(50)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element, wherever it lies."""
        self._tab.mouse.click(*self.middle(selector))

    def tap(self, selector: str) -> None:
        """Touch an element with a finger."""
        x, y = self.middle(selector)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, key: str) -> None:
        """Press and release a key, by its name in JavaScript."""
        self._tab.keyboard.press(key)

    def foreign(self) -> list[str]:
        """The requests that left the machine."""
        return [url for url in self.requests if not url.startswith(LOCAL)]

    def middle(self, selector: str) -> tuple[float, float]:
        """Where an element lies, scrolled into sight."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return float(box[0]), float(box[1])


@contextmanager
def opened() -> Iterator[Page]:
    """A page of a browser of its own, which is ended with the block."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    executable = next((found for name in names if (found := shutil.which(name))), None)
    assert executable, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS])
        try:
            yield Page(browser.new_context(no_viewport=True).new_page())
        finally:
            browser.close()

"""A headless Chromium, spoken to in its DevTools protocol through a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Page", "chromium", "opened"]

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-pipe",
)
"""WebGL is drawn by the processor: a machine without a screen has no other."""

PIPED = """
import os, sys
from fcntl import F_DUPFD, fcntl
pipes = [fcntl(int(number), F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(pipes[0], 3)
os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which reads its commands from descriptor 3 and answers on 4."""

LOCAL = ("file:", "data:", "blob:", "about:")


def chromium() -> str | None:
    """Where Chromium is, by the names that distributions give it."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Page:
    """One tab.

    `complaints` are the errors of the console and of scripts, `requests` the URLs asked for.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._reading, self._writing = reading, writing
        self._buffer, self._count, self._session = b"", 0, ""
        self._selector = selectors.DefaultSelector()
        self._selector.register(reading, selectors.EVENT_READ)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, *, seconds: float = 60.0, **params: Any) -> dict[str, Any]:
        """Send a command, and return its result; RuntimeError if it is refused or late."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._writing, data) :]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self._next(deadline)
            if answer is not None and answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
        raise RuntimeError(f"{method}: no answer within {seconds} s")

    def _next(self, deadline: float) -> dict[str, Any] | None:
        while b"\0" not in self._buffer:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                return None
            read = os.read(self._reading, 1 << 20)
            if not read:
                raise RuntimeError("the browser is gone")
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._hear(message.get("method", ""), message.get("params", {}))
        return message

    def _hear(self, event: str, params: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(str(details.get("exception", {}).get("description", details)))
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.complaints.append(str([arg.get("value") for arg in params["args"]]))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(str(params["entry"]["text"]))
        elif event == "Network.requestWillBeSent":
            self.requests.append(str(params["request"]["url"]))

    def size(self, width: int, height: int, *, dark: bool = False, touch: bool = False) -> None:
        """Set the viewport in CSS pixels, and whether the reader likes it dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, still])

    def open(self, path: Path) -> None:
        """Load a file, and wait until its script has finished."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.documentElement?.dataset.ready === 'true'")

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript; RuntimeError if it throws."""
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
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element, wherever it lies."""
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def tap(self, selector: str) -> None:
        """Touch an element with a finger."""
        x, y = self._middle(selector)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, key: str) -> None:
        """Press and release a key, by its name in JavaScript."""
        code = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}
        number = code.get(key, 40)
        for kind in ("keyDown", "keyUp"):
            text: dict[str, Any] = {"text": "\r"} if (key, kind) == ("Enter", "keyDown") else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=number,
                **text,
            )

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen as a PNG; `whole` writes the page to its end."""
        result = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(result["data"]))

    def foreign(self) -> list[str]:
        """The requests that left the machine."""
        return [url for url in self.requests if not url.startswith(LOCAL)]

    def _middle(self, selector: str) -> tuple[float, float]:
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return float(box[0]), float(box[1])


@contextmanager
def opened(executable: str) -> Iterator[Page]:
    """A page of a browser of its own, which is ended with the block."""
    ours, theirs = os.pipe(), os.pipe()  # what the browser reads, what it writes
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipes = (ours[0], theirs[1])
        command = [sys.executable, "-c", PIPED, *map(str, pipes), executable]
        process = subprocess.Popen(
            [*command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=pipes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        try:
            yield Page(theirs[0], ours[1])
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(ours[1])
            os.close(theirs[0])

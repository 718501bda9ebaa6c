"""A headless Chromium, spoken to over a pipe in its own protocol: no driver, no port, no package.

https://chromedevtools.github.io/devtools-protocol/ names the commands; each message is JSON that
ends in a NUL.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--no-sandbox",  # it refuses to start for root, as in CI's images; the page is ours
)
# the browser reads commands from its file 3 and writes to its file 4
_LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
_CODES = {"/": "Slash", "?": "Slash", " ": "Space"}


def find_browser() -> str | None:
    """A Chromium on this machine: $EVALKIT_BROWSER, or the first on the path."""
    named = os.environ.get("EVALKIT_BROWSER")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. `requests` are the addresses it asked for, `errors` what it complained of."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        """Made by `Chromium.open`."""
        self._browser = browser
        self._session = session
        self.requests: list[str] = []
        self.errors: list[str] = []

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command and its result."""
        return self._browser.send(method, params, self._session)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited where it is a promise. What it throws fails."""
        reply = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def press(self, *keys: str) -> None:
        """Keys one after another, as a keyboard sends them."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            code = _CODES.get(key, f"Key{key.upper()}" if len(key) == 1 else key)
            virtual = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38}
            common = {"key": key, "code": code, "windowsVirtualKeyCode": virtual.get(key, 0)}
            self.send(
                "Input.dispatchKeyEvent",
                type="keyDown" if text else "rawKeyDown",
                text=text,
                **common,
            )
            self.send("Input.dispatchKeyEvent", type="keyUp", **common)
        self.settle()

    def click(self, selector: str) -> None:
        """The left button in the middle of the first element of that selector."""
        spot = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=spot[0],
                y=spot[1],
                button="left",
                clickCount=1,
            )
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
        )

    def wait_for(self, condition: str, timeout_s: float = 10.0) -> None:
        """Until an expression is true, looked at whenever the page draws."""
        self.evaluate(
            "new Promise((done, failed) => { const until = performance.now() + "
            f"{timeout_s * 1000}; const look = () => {{ if ({condition}) done(); "
            "else if (performance.now() > until) failed(new Error('waited too long')); "
            "else requestAnimationFrame(look); }; look(); })"
        )

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """What is seen, or the whole page, as PNG."""
        reply = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(reply["data"]))

    def emulate(self, **features: str) -> None:
        """Media features such as `prefers_color_scheme="dark"`, or `media="print"`."""
        media = features.pop("media", "")
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.send("Emulation.setEmulatedMedia", media=media, features=named)
        self.settle()


class Chromium:
    """A running browser. `timeout_s` bounds the wait for any reply."""

    def __init__(self, program: str, *, timeout_s: float = 60.0) -> None:
        """Start it."""
        self._timeout_s = timeout_s
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-")
        self._number = 0
        self._buffer = b""
        self._pages: dict[str, Page] = {}
        self._loaded: set[str] = set()
        its_in, self._write = _pipe()
        self._read, its_out = _pipe()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _LAUNCH,
                str(its_in),
                str(its_out),
                program,
                *_FLAGS,
                f"--user-data-dir={self._profile.name}",
                "about:blank",
            ],
            pass_fds=(its_in, its_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its_in)
        os.close(its_out)

    def close(self) -> None:
        """Stop it, and forget its profile."""
        try:
            self.send("Browser.close")
            self._process.wait(timeout=10)
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile.name, ignore_errors=True)
        self._profile.cleanup()

    @contextmanager
    def open(
        self,
        url: str,
        *,
        width: int = 1440,
        height: int = 900,
        scripts: bool = True,
        **features: str,
    ) -> Iterator[Page]:
        """A page at that size, loaded. `features` are media features, as of `Page.emulate`."""
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        session = attached["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        if not scripts:
            page.send("Emulation.setScriptExecutionDisabled", value=True)
        if features:
            page.send(
                "Emulation.setEmulatedMedia",
                features=[{"name": k.replace("_", "-"), "value": v} for k, v in features.items()],
            )
        page.send("Page.navigate", url=url)
        self._wait(lambda: session in self._loaded)
        try:
            yield page
        finally:
            self.send("Target.closeTarget", {"targetId": target})
            del self._pages[session]

    def send(
        self, method: str, params: dict[str, Any] | None = None, session: str | None = None
    ) -> dict[str, Any]:
        """A command to the browser or to a session, and its result."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        replies: list[dict[str, Any]] = []

        def answered() -> bool:
            return bool(replies)

        self._wait(
            answered, on_reply=lambda r: replies.append(r) if r.get("id") == number else None
        )
        assert "error" not in replies[0], (method, replies[0])
        result: dict[str, Any] = replies[0]["result"]
        return result

    def _wait(
        self,
        done: Callable[[], bool],
        on_reply: Callable[[dict[str, Any]], None] = lambda reply: None,
    ) -> None:
        until = time.monotonic() + self._timeout_s
        while not done():
            message = self._next(until)
            if "id" in message:
                on_reply(message)
            else:
                self._notice(message)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            ready, _, _ = select.select([self._read], [], [], max(0.0, left))
            assert ready, "the browser did not answer in time"
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser ended"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _notice(self, message: dict[str, Any]) -> None:
        """Keep what a page asked for and complained of."""
        page = self._pages.get(message.get("sessionId", ""))
        if page is None:
            return
        params = message["params"]
        match message["method"]:
            case "Page.loadEventFired":
                self._loaded.add(message["sessionId"])
            case "Network.requestWillBeSent":
                page.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                page.errors.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                page.errors.append(json.dumps(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                page.errors.append(params["entry"]["text"])


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, out of the way of the two numbers that the browser reads and writes."""
    reading, writing = os.pipe()
    ends = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (reading, writing))
    os.close(reading)
    os.close(writing)
    return ends[0], ends[1]

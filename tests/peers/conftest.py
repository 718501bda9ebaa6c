"""The embedded model behind llama.cpp's own HTTP server, once for all tests of this folder."""

import threading
from collections.abc import Iterator

import pytest

from evalkit.control.providers.engine import missing_engine, serve_local


@pytest.fixture(scope="session")
def llama_url() -> Iterator[str]:
    """The base URL of `evalkit local serve`; skips where engine or weights are missing."""
    if problem := missing_engine():
        pytest.skip(problem)
    ready: threading.Event = threading.Event()
    stop = threading.Event()
    urls: list[str] = []

    def serve() -> None:
        try:
            serve_local("127.0.0.1", 0, on_ready=urls.append, stop=stop)
        finally:
            ready.set()

    def wait_for_url() -> None:
        while not urls and not ready.wait(0.02):
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    wait_for_url()
    assert urls, "the server did not start"
    yield urls[0]
    stop.set()
    thread.join(20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the embedded model: its one long run then has company on the other core."""
    items.sort(key=lambda item: item.get_closest_marker("local_model") is None)

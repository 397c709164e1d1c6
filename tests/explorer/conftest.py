"""A run, its page as a process, and a browser, for all tests of a module."""

import importlib.util
import os
import shutil

import pytest
from explorer.browsing import Server, open_page
from inference.run_folders import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("explore") / "run", dataset="shapes")


@pytest.fixture(scope="module")
def browser():
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("Gradio is not installed: pip install -e '.[explore,browser]'")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install -e '.[browser]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
        path = next(filter(None, found), playwright.chromium.executable_path)
        if not os.path.exists(path):
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(run, browser):
    server = Server(run.parent / "server", f"--run={run}", "--max_pixels=1000")
    yield server
    server.end()


@pytest.fixture
def new_page(browser, server):
    """A function that opens the page as a new visitor."""
    contexts = []

    def open_new(**options):
        contexts.append(browser.new_context(**options))
        return open_page(contexts[-1], server.address)

    yield open_new
    for context in contexts:
        context.close()

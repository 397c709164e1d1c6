"""How long a slider's move takes to become a picture.

With `munit_tf.explore` running: `PYTHONPATH=tests python tests/explorer/latency.py http://127.0.0.1:7860`.
"""

import statistics
import sys

from explorer.browsing import open_page
from playwright.sync_api import sync_playwright

MOVES = 40
# From the slider's event to the frame after the new picture was decoded.
_MOVE = """([value]) => new Promise(done => {
  const slider = document.querySelector('.slider0 input[type=range]');
  const part = document.querySelector('.after'), before = part.querySelector('img').src;
  let start = 0;
  const watch = new MutationObserver(() => {
    const image = part.querySelector('img');
    if (image && image.src != before) {
      watch.disconnect();
      image.decode().then(() => requestAnimationFrame(() => done(performance.now() - start)));
    }
  });
  watch.observe(part, {childList: true, subtree: true, attributes: true});
  start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
})"""


def main(address, executable="/usr/bin/chromium"):
    """Prints the median and the 90th percentile in milliseconds."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = open_page(browser.new_context(), address)
        times = [page.evaluate(_MOVE, [f"{-2 + 0.1 * i:.2f}"]) for i in range(MOVES)][1:]
        browser.close()
    print(f"slider to picture: median {statistics.median(times):.0f} ms", end=", ")
    print(f"90% within {sorted(times)[int(0.9 * len(times))]:.0f} ms, of {len(times)} moves")


if __name__ == "__main__":
    main(*sys.argv[1:])

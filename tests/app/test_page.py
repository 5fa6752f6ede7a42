"""The page as the program serves it: over HTTP, and in a headless Chromium."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.fit_cubes import FWHM, make_cube

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SECOND = 1000  # ms


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `app.py` serves the page; its folder holds a cube."""
    pytest.importorskip("panel")
    folder = tmp_path_factory.mktemp("offered")
    make_cube(folder / "mine.fits")
    command = (sys.executable, ROOT / "app.py", "--port", "0", "--no-browser",
               "--folder", folder, "--largest-upload", "1")  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert program.stderr is not None
        line = program.stdout.readline()
        found = re.match(r"(http://127\.0\.0\.1:\d+) is the page", line)
        if found is None:
            program.kill()
            pytest.fail(line + program.stderr.read())
        yield found[1]
        program.send_signal(signal.SIGINT)
        said = program.communicate(timeout=30)[1]
    assert program.returncode == 130
    assert said.endswith("app.py: interrupted: stopped by Ctrl-C\n")
    assert "Traceback" not in said


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(errors="replace")


def test_the_page_names_no_script_of_elsewhere(address: str) -> None:
    status, text = get(address)
    assert status == 200
    assert "<title>clumpygan</title>" in text
    named = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    assert named
    assert [one for one in named if "//" in one and address not in one] == []


def test_nobody_but_this_machine_reaches_it(address: str) -> None:
    port = int(address.rpartition(":")[2])
    with socket.socket() as other:
        other.settimeout(5)
        # Another address of this machine, on which a server of all addresses would listen.
        with pytest.raises(OSError, match="refused"):
            other.connect(("127.0.0.2", port))


def test_pages_of_elsewhere_get_no_connection(address: str) -> None:
    key = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/ws", headers=key | {"Origin": "http://elsewhere.example"})
        assert connection.getresponse().status == 403


# ---- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a window, and a folder of its own for what it keeps."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: install Debian's package chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    folder = tmp_path_factory.mktemp("chromium")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, headless=True, args=list(FLAGS),
            viewport={"width": 1400, "height": 1000}, accept_downloads=True,
        )  # fmt: skip
        context.set_default_timeout(60 * SECOND)
        yield context
        context.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, loaded; whatever is done with it asks nothing of elsewhere, and makes no error."""
    page = browser.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
    page.goto(address)
    page.get_by_role("button", name="Recover", exact=True).wait_for()
    yield page
    page.close()
    assert asked
    here = (address, "data:", "blob:", address.replace("http", "ws"))
    assert [url for url in asked if not url.startswith(here)] == []
    assert wrong == []


def titles(page: Any) -> list[str]:
    """Return the titles of all figures that are shown; they are painted, not written."""
    models = "Bokeh.documents.flatMap((one) => [...one._all_models.values()])"
    found: list[str] = page.evaluate(
        f"{models}.filter((one) => one.type == 'Title').map((one) => one.text)"
    )
    return found


def wait_for_title(page: Any, words: str) -> str:
    for _ in range(600):
        for title in titles(page):
            if words in title:
                return title
        page.wait_for_timeout(SECOND / 10)
    pytest.fail(f"no title with {words!r} in {titles(page)}")


def downloaded(page: Any, label: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=label).or_(page.get_by_role("button", name=label)).click()
    content: bytes = Path(waiting.value.path()).read_bytes()
    return content


def slide(page: Any, name: str, presses: int) -> None:
    """Move a slider by the keyboard."""
    handle = page.locator(f".bk-input-group:has-text('{name}') .noUi-handle").first
    handle.focus()
    for _ in range(presses):
        handle.press("ArrowRight")


def test_a_disk_is_moved_and_a_cube_dropped_and_fitted(page: Any, tmp_path: Path) -> None:
    page.get_by_text("Cubes", exact=True).click()
    page.get_by_text("The model.").wait_for()
    wait_for_title(page, "Slit, 60 deg")
    slide(page, "position angle", 5)
    wait_for_title(page, "Slit, 65 deg")
    page.locator("input[type=file]").first.set_input_files(make_cube(tmp_path / "cube.fits"))
    page.get_by_text("give the PSF's FWHM").wait_for()
    width = page.get_by_label("PSF, FWHM [arcsec]").last
    width.fill(str(FWHM))
    width.press("Enter")
    page.get_by_role("button", name="Read the cube again").click()
    page.get_by_text("cube.fits: move the disk over the data").wait_for()
    page.get_by_role("button", name="Fit the disk to the data").click()
    page.get_by_text("fitted in").wait_for()
    page.get_by_text("maximum_velocity").wait_for()
    page.get_by_role("button", name="residual").click()
    wait_for_title(page, "Flux [sigma]")


def test_a_galaxy_is_recovered_clicked_and_downloaded(page: Any) -> None:
    page.get_by_role("button", name="Recover", exact=True).click()
    page.get_by_text("nucleus of the galaxy").wait_for()
    # The samples go by.
    first = wait_for_title(page, "Sample ")
    for _ in range(100):
        if first not in titles(page):
            break
        page.wait_for_timeout(SECOND / 10)
    assert first not in titles(page)
    canvas = page.locator(".bk-Canvas, .bk-canvas-events, canvas").nth(2)
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.7 * box["height"])
    page.get_by_text("no source of the samples here").wait_for()
    assert downloaded(page, "Download all images, FITS").startswith(b"SIMPLE  =")


def test_a_wrong_file_is_one_line_and_the_page_goes_on(page: Any, tmp_path: Path) -> None:
    page.get_by_text("Cubes", exact=True).click()
    page.get_by_text("The model.").wait_for()
    wrong = tmp_path / "wrong.fits"
    wrong.write_text("not what was expected\n" * 40)
    page.locator("input[type=file]").first.set_input_files(wrong)
    line = page.locator(".status").get_by_text("wrong.fits")
    line.wait_for()
    assert "\n" not in line.inner_text().strip()
    slide(page, "inclination", 1)
    page.get_by_text("inclination [deg]: 56").wait_for()
    large = tmp_path / "large.fits"
    large.write_bytes(bytes(2 * 10**6))
    page.locator("input[type=file]").first.set_input_files(large)
    page.get_by_text("File is too large").first.wait_for()


def test_galaxies_are_generated_and_downloaded(page: Any) -> None:
    page.get_by_text("Generate", exact=True).first.click()
    page.get_by_role("button", name="Generate", exact=True).click()
    page.get_by_text("16 galaxies, seed 3").wait_for()
    assert downloaded(page, "Download them, FITS").startswith(b"SIMPLE  =")

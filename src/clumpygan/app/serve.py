"""Serve the page, on this machine alone."""

import logging
import signal
import socket
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.settings import settings as bokeh_settings

from clumpygan.app.page import Page
from clumpygan.app.settings import ADDRESS, AppSettings
from clumpygan.app.work import Worker
from clumpygan.errors import InputError

_KEPT = 3_600_000
"""Milliseconds for which a window that lost its connection, as of a machine asleep, finds all as
it was."""


def serve(settings: AppSettings) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    settings : AppSettings

    Raises
    ------
    InputError
        If the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="clumpygan_") as folder:
        worker = Worker(Path(folder))
        try:
            server = make_server(settings, worker)
            address = f"http://{ADDRESS}:{server.port}"
            print(f"{address} is the page; Ctrl-C ends it", flush=True)
            if settings.browser:
                webbrowser.open(address)
            # Ctrl-C is told of, and has its exit code, as of all programs.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # Without it the server never ends the sessions of windows that were closed.
            server.start()
            try:
                server.io_loop.start()
            finally:
                server.stop()
        finally:
            worker.close()


def make_server(settings: AppSettings, worker: Worker) -> Any:
    """Return a server (`bokeh.server.server.Server`) that listens, on an event loop that stands.

    Raises
    ------
    InputError
        If the port is taken.
    """
    # Scripts and styles come from the packages that are installed, never from elsewhere.
    bokeh_settings.resources = "server"
    pn.extension("filedropper")
    for name in ("tornado.access", "bokeh"):
        logging.getLogger(name).setLevel(logging.ERROR)

    def page() -> Any:
        return Page(settings, worker).view

    port = _free_port(settings.port)
    return pn.serve(
        {"/": page}, port=port, address=ADDRESS, show=False, start=False, title="clumpygan",
        verbose=False, unused_session_lifetime_milliseconds=_KEPT,
        websocket_origin=[f"{ADDRESS}:{port}", f"localhost:{port}"],
    )  # fmt: skip


def _free_port(wanted: int) -> int:
    """Return the port if it is free, or any that is if it is 0.

    Raises
    ------
    InputError
        If it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, wanted))
        except OSError as problem:
            raise InputError(
                f"`port` {wanted}: can't be had ({problem.strerror}); give another, or 0 for any"
            ) from None
        return int(probe.getsockname()[1])

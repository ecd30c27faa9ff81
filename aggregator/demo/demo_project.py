"""A project in a folder of its own, whose subscriptions are the demonstration's publishers."""

import tempfile
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Self

from aggregator.demo.demo_servers import outputs_server, publishers_server, running

_DATA = files("aggregator.demo") / "data"


class Demo:
    """A context manager: publishers answer while it is open.

    ``folder`` keeps the project; without one it is temporary, and gone afterwards. ``port`` is
    where the outputs will be served, 0 for any that is free.
    """

    def __init__(self, folder: Path | None, port: int) -> None:
        self._folder = folder
        self._port = port
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            folder = self._folder or Path(
                self._stack.enter_context(tempfile.TemporaryDirectory(prefix="aggregator-demo-"))
            )
            self.outputs = folder / "outputs"
            self.outputs.mkdir(parents=True, exist_ok=True)
            self._server = self._stack.enter_context(outputs_server(self.outputs, self._port))
            publishers = self._stack.enter_context(running(publishers_server()))
            self.address = f"http://127.0.0.1:{self._server.server_port}/"
            self.config = folder / "feeds.toml"
            text = (_DATA / "feeds.toml").read_text("utf-8")
            self.config.write_text(
                text.replace("{site}", self.address).replace(
                    "{publishers}", f"http://127.0.0.1:{publishers.server_port}"
                ),
                "utf-8",
            )
            (folder / "clippings.txt").write_bytes((_DATA / "clippings.txt").read_bytes())
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self) -> None:
        """Serve the outputs until interrupted."""
        self._server.serve_forever()

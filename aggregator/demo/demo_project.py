"""The project of the demonstration. It polls publishers that run on this machine."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from aggregator.demo.demo_servers import outputs_server, publishers_server, running


@dataclass(frozen=True, slots=True)
class Demo:
    """A project with running publishers. ``serve`` serves its outputs until it is interrupted."""

    config: Path
    outputs: Path
    address: str
    serve: Callable[[], None]


@contextmanager
def open_demo(folder: Path | None, port: int) -> Iterator[Demo]:
    """Start the publishers and write the project, by default into a temporary folder.

    ``port`` is for the outputs; 0 means any free port.
    """
    with ExitStack() as stack:
        data = stack.enter_context(as_file(files("aggregator.demo") / "data"))
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="aggregator-demo-")
            folder = Path(stack.enter_context(temporary))
        outputs, config = folder / "outputs", folder / "feeds.toml"
        outputs.mkdir(parents=True, exist_ok=True)
        server = stack.enter_context(outputs_server(outputs, port))
        publishers = stack.enter_context(running(publishers_server(data)))
        address = f"http://127.0.0.1:{server.server_port}/"
        text = (data / "feeds.toml").read_text("utf-8").replace("{site}", address)
        text = text.replace("{publishers}", f"http://127.0.0.1:{publishers.server_port}")
        config.write_text(text, "utf-8")
        (folder / "clippings.txt").write_bytes((data / "clippings.txt").read_bytes())
        yield Demo(config, outputs, address, server.serve_forever)

"""The demo from the first file to "your turn"."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.demo.acts import Cast, act
from hanse.cli.demo.script import Script, read
from hanse.cli.state import state
from hanse.errors import HanseError, Kind, code

_DONE = ".hanse/demo-steps"
_HOST = "127.0.0.1"


class NotADemo(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "demo.other-folder",
        Kind.CONFLICT,
        "The folder holds something else than a demo",
        "The demo writes and removes only folders that it made itself.",
        "Name another folder with --dir.",
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} exists and is not a demo", mend="hanse demo --dir ANOTHER")


@click.command("demo")
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("hanse-demo"), show_default=True
)
@click.option("--port", type=click.IntRange(1024, 65000), default=8470, show_default=True, help="And the two after it.")
@click.option("--no-open", is_flag=True, help="Open no browser (there are no pages yet, so none is opened anyway).")
@click.option("--once", is_flag=True, help="Ask, print, end.")
@click.option("--remove", is_flag=True, help="Remove the demo's folder.")
@click.pass_context
def command(ctx: click.Context, folder: Path, port: int, no_open: bool, once: bool, remove: bool) -> int:
    """Five domains with real flights: built, tested and published by their owners, asked by four persons.

    Nothing is downloaded; everything lies in one folder. A second start keeps what is there.
    """
    root = folder.resolve()
    if remove:
        return _remove(root)
    began = time.perf_counter()
    _copy(root)
    state(ctx).dir = root
    signal.signal(signal.SIGTERM, _interrupt)
    from hanse.app import Serving
    from hanse.cli.local import token

    with ExitStack() as stack:
        serving = stack.enter_context(Serving.on_free_port(root, _HOST, port))
        cast = Cast(serving.address, lambda person: token(root, person))
        stack.callback(cast.close)
        script = read(root)
        _set_up(script, cast, root)
        _say(f"\nYour mesh is up: {serving.address}   ({render.took(time.perf_counter() - began)})")
        if serving.port != port:
            _say(f"Port {port} is taken, so it listens on {serving.port}.")
        _play(script, cast, root)
        _your_turn(folder, serving.address, once=once)
        if not once:
            _wait(serving.ended)
    return 0


def _copy(root: Path) -> None:
    if (root / "demo.yaml").is_file():
        return
    if root.exists() and any(root.iterdir()):
        raise NotADemo(root)
    with ExitStack() as stack:
        source = _example(stack)
        shutil.copytree(source, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".hanse", "__pycache__"))


def _example(stack: ExitStack) -> Path:
    """The example: packaged in the wheel, beside the sources in a checkout."""
    packaged = files("hanse") / "examples" / "flights"
    if packaged.is_dir():
        return stack.enter_context(as_file(packaged))
    return Path(__file__).parents[4] / "examples" / "flights"


def _remove(root: Path) -> int:
    if not root.exists():
        _say(f"Nothing to remove: {root} is not there.")
        return 0
    if not (root / "demo.yaml").is_file():
        raise NotADemo(root)
    from hanse.cli.local import holder

    address = holder(root)
    if address is not None:
        raise click.UsageError(f"the demo still runs at {address}; stop it first (Ctrl C in its terminal)")
    shutil.rmtree(root)
    _say(f"Removed {root}.")
    return 0


def _set_up(script: Script, cast: Cast, root: Path) -> None:
    """Do the owners' steps that were not done yet; a start that was broken off goes on where it ended."""
    marker = root / _DONE
    done = int(marker.read_text()) if marker.exists() else 0
    products = sum(len(step.products) for step in script.steps)
    published = sum(len(step.products) for step in script.steps[:done])
    if done < len(script.steps):
        _say(f"Demo mesh in {root} (336 776 real flights from New York in 2013; nothing is downloaded)\n")
    line = _Line()
    for number, step in enumerate(script.steps[done:], done + 1):
        for text in act(step, cast, root, line.progress):
            if step.do == "publish":
                published += 1
                text = f"[{published}/{products}] {text}"
            line.done(text)
        marker.write_text(str(number))


def _play(script: Script, cast: Cast, root: Path) -> None:
    from hanse.cli.demo.show import ask, audited, side_by_side

    for step in script.before:
        for text in act(step, cast, root, lambda _: None):
            _say(f"  {text}")
    since = datetime.now(UTC)
    _say("\nOne question, asked by four persons:\n")
    click.echo(f"  {script.sql}\n")
    told = [ask(cast, who, script.sql) for who in script.people]
    click.echo("\n".join(side_by_side(told)))
    for step in script.then:
        for text in act(step, cast, root, lambda _: None):
            click.echo(f"  {text}")
    askers = list(dict.fromkeys(step.who for step in script.then if step.do == "request"))
    click.echo("\nThe question again:\n")
    click.echo("\n".join(side_by_side([ask(cast, who, script.sql) for who in askers])))
    click.echo("What the owner's audit holds of just these reads:\n")
    click.echo("\n".join(audited(cast, "owner_operations", "operations/flights", since)))


def _your_turn(folder: Path, address: str, *, once: bool) -> None:
    begin = (
        f"  hanse demo --dir {folder}   (keeps the data, ready in seconds), then in another terminal:\n" if once else ""
    )
    click.echo(
        f"\nYour turn:\n\n{begin}"
        f"  cd {folder}\n"
        "  hanse as consumer -- search delay\n"
        '  hanse as consumer -- query "select cause, sum(minutes) as minutes from experience.delay_causes'
        ' group by cause order by minutes desc"\n'
        "  hanse as owner_fleet -- access list        a request waits for you as owner\n"
        "  hanse as owner_operations -- audit --product operations/flights\n"
    )
    if not once:
        click.echo(f"Serving {address}     stop: Ctrl C      remove: hanse demo --dir {folder} --remove")


def _wait(ended: threading.Event) -> None:
    try:
        while not ended.wait(0.5):
            pass
    except KeyboardInterrupt:
        _say("\nstopping")


class _Line:
    """Things done, a line each; on a terminal what goes on is shown below them."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said = time.monotonic()

    def progress(self, text: str) -> None:
        if self._terminal:
            click.echo(f"\r\x1b[2K  {text[:100]}", err=True, nl=False)

    def done(self, text: str) -> None:
        if self._terminal:
            click.echo("\r\x1b[2K", err=True, nl=False)
        click.echo(f"  {text}", err=True)


def _interrupt(*_: object) -> None:
    # ended like by Ctrl C: the node finishes what it began, and lets go of the homes
    raise KeyboardInterrupt


def _say(text: str) -> None:
    click.echo(text, err=True)

"""The command line's front door; every verb is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from hanse import __version__
from hanse.cli.state import State, state
from hanse.names import nearest

# verb → (module below hanse.cli, one line); the groups follow the walk
VERBS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("demo", "A whole mesh of real flights on this machine."),
        "init": ("init", "A new mesh in this folder, or one more domain."),
        "new": ("new", "A product's first files, from its data."),
        "serve": ("serve", "Run a node for the project's domains."),
        "connections": ("connections", "The sources' connections, and whether they work."),
        "status": ("status", "The products of this project and their state."),
        "ci": ("ci", "Write the pipeline file of a code host."),
        "doctor": ("doctor", "Find and explain what is wrong."),
    },
    "The walk": {
        "validate": ("validate", "Check descriptors; opens no other file, no network."),
        "plan": ("plan", "What publish would change, and who is touched."),
        "build": ("build", "Make the tables, in a stage no reader sees."),
        "test": ("test", "Check data against the contract."),
        "publish": ("publish", "Build and test what a plan needs, then publish it."),
        "search": ("search", "Find products by words, titles, columns."),
        "access": ("access", "Ask for, grant, refuse and end access."),
        "query": ("query", "Ask in SQL; see what you may see."),
        "audit": ("audit", "Who saw what; proof that nothing was removed."),
    },
    "Products": {
        "shell": ("shell", "A prompt for SQL, with completion."),
        "read-with": ("read_with", "What reads a product with the tool you have."),
        "show": ("show", "One product: contract, columns, who may read it."),
        "lineage": ("lineage", "What a product is made from, and what of it."),
        "bump": ("bump", "The next version of a port line, in its files."),
        "compat": ("compat", "Compare two contracts: major, minor or patch."),
        "default": ("default", "Move the unpinned address to another major."),
        "rollback": ("rollback", "Publish a former state again."),
        "retire": ("retire", "Take a product, or one major of it, out of service."),
        "clean": ("clean", "Let go of former publications and files beyond keep."),
        "backup": ("backup", "Copy the homes, while they are served."),
        "restore": ("restore", "Make homes from a backup, never over one."),
        "runs": ("runs", "What builds, tests, publishes and schedules did."),
        "follow": ("follow", "Be told of a product's news."),
        "unfollow": ("unfollow", "Be told no longer."),
        "events": ("events", "What happened, as much as you may know of."),
    },
    "Who and why": {
        "login": ("login", "Sign in at a node, by browser or code, and keep it."),
        "whoami": ("whoami", "Who the node takes you for."),
        "logout": ("logout", "Forget a sign-in that was kept."),
        "token": ("token", "Print a bearer token, on the node's own machine."),
        "as": ("as_", "Run a command as another person (demo)."),
        "explain": ("explain", "The long form of an error code."),
    },
}
_MODULES = {verb: entry for group in VERBS.values() for verb, entry in group.items()}


def _stores(name: str) -> Any:
    def store(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:  # a flag that is absent after the verb keeps what was said before it
            setattr(state(ctx), name, value)

    return store


def _global_options() -> list[click.Option]:
    def option(flag: str, text: str, **more: Any) -> click.Option:
        name = flag.removeprefix("--").replace("-", "_")
        return click.Option([flag], help=text, expose_value=False, callback=_stores(name), **more)

    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    readable = click.Path(exists=True, dir_okay=False, path_type=Path)
    return [
        option("--dir", "The project's folder (default: the nearest one above).", type=folder, metavar="DIR"),
        option("--node", "Ask the node at this address.", metavar="URL"),
        option("--json", "One JSON document on stdout.", is_flag=True),
        option("--as-token", "Ask as the owner of the token in this file.", type=readable, metavar="FILE"),
        option("--debug", "Show tracebacks.", is_flag=True),
    ]


def _with_globals(command: click.Command) -> click.Command:
    """`command` with the global flags accepted after it, too; a flag it declares itself stays its own."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for option in _global_options():
        if not own.intersection(option.opts):
            option.hidden = True
            command.params.append(option)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _with_globals(child)
    return command


class Verbs(click.Group):
    """The group of all verbs: lists them without importing any, imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        if cmd_name not in _MODULES:
            return None
        command = _with_globals(import_module(f"hanse.cli.{_MODULES[cmd_name][0]}").command)
        command.name = cmd_name
        self.commands[cmd_name] = command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in _MODULES and not word.startswith("-"):
            near = nearest(word, _MODULES, 1)
            error = click.UsageError(f"hanse has no verb {word[:40]!r}", ctx)
            error.mend = f"hanse {near[0]}" if near else "hanse --help lists them all"  # type: ignore[attr-defined]
            raise error
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        bold = _bold if sys.stdout.isatty() and ctx.color is not False else str
        formatter.write(
            f"{bold('hanse')} {__version__}: domains own their data and read each other's by common rules.\n"
        )
        formatter.write("\nUsage: hanse VERB …        hanse VERB --help tells more\n")
        width = max(map(len, _MODULES)) + 4
        for title, verbs in VERBS.items():
            formatter.write(f"\n{bold(title)}\n")
            for verb, (_, text) in verbs.items():
                formatter.write(f"  {verb:<{width}}{text}\n")
        formatter.write(f"\n{bold('Flags of every verb')}\n")
        for option in self.params:
            record = option.get_help_record(ctx)
            if record is not None:
                formatter.write(f"  {record[0]:<{width + 7}}{record[1]}\n")
        formatter.write("\nNew here?  hanse demo\n")

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one call and exit: 0 good, 1 findings, 2 usage, 3 refused, 4 unreachable, 5 moved, 70 fault."""
        flags: State = extra.setdefault("obj", State())
        words = list(sys.argv[1:] if args is None else args)
        if os.environ.get("NO_COLOR"):
            extra["color"] = False
        try:
            outcome = super().main(
                words,
                prog_name or "hanse",
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            status = outcome if isinstance(outcome, int) and not isinstance(outcome, bool) else 0
            sys.stdout.flush()
        except BrokenPipeError:
            _close_stdout()
            status = 0
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nstopped", err=True)
            status = 130
        except SystemExit as ended:
            # click wraps stdout so before it ends, when the reader of it went away
            gone = type(sys.stdout).__name__.endswith("PacifyFlushWrapper")
            status = 0 if gone else ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        except Exception as error:
            from hanse.cli.failures import tell

            status = tell(error, words, flags)
        finally:
            if flags.client is not None:
                flags.client.close()
        sys.exit(status)


def _bold(text: str) -> str:
    return click.style(text, bold=True)


def _close_stdout() -> None:
    # the reader went away; nothing more is to be flushed at exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command(
    cls=Verbs,
    invoke_without_command=True,
    params=list(_global_options()),
)
@click.version_option(__version__, "--version", message="hanse %(version)s", help="The version.")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Domains own their data and read each other's by common rules."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

"""`hanse login`: sign in at a node, by this machine's browser or on another device, and keep it."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sys
import time
import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from hanse.cli.loopback import Loopback
from hanse.cli.state import State, state
from hanse.governance.identity import SCOPES

if TYPE_CHECKING:
    from hanse.client import Client

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_BROWSER_SECONDS = 300


@click.command("login")
@click.option("--device", is_flag=True, help="Sign in on another device, by a code.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Default: all of them.")
@click.option("--approve", "code", metavar="CODE", help="Where you are signed in: allow the device that shows CODE.")
@click.option("--refuse", is_flag=True, help="With --approve: refuse it.")
@click.pass_context
def command(ctx: click.Context, device: bool, scopes: tuple[str, ...], code: str | None, refuse: bool) -> None:
    """Sign in at a node and keep it for this user of this machine.

    A browser is opened where there is one; otherwise, or with --device, a code is shown that its person allows
    elsewhere: on the page that is named, or by `hanse login --approve CODE`.
    """
    if code is not None:
        return _approve(ctx, code, refuse)
    from hanse.client import Client, signins

    flags = state(ctx)
    address = where(flags)
    client = Client(address, None, timeout=30)
    asked = " ".join(scopes or SCOPES)
    try:
        told = _by_device(client, asked) if device or not _has_browser() else _by_browser(client, asked)
    finally:
        client.close()
    ends = datetime.now(UTC) + timedelta(seconds=int(told["expires_in"]))
    signins.keep(address, token=told["access_token"], person=told["person"], ends=ends)
    about = {"schema": "hanse.login/1", "node": address, "person": told["person"], "scopes": told["scope"].split()}
    if flags.json:
        import json

        click.echo(json.dumps({**about, "ends": ends.isoformat()}, indent=2))
        return None
    click.echo(f"Signed in as {told['person']} at {address} until {ends.astimezone():%H:%M}. Undo: hanse logout")
    return None


def where(flags: State) -> str:
    """The address to sign in at: --node, HANSE_NODE, the node of the project, this machine's."""
    from hanse.cli.local import holder
    from hanse.client.connection import LOCAL

    named = flags.node or os.environ.get("HANSE_NODE")
    root = flags.find_root()
    return named or (holder(root) if root is not None else None) or LOCAL


def _approve(ctx: click.Context, code: str, refuse: bool) -> None:
    from hanse.cli.transport import connect

    told = connect(ctx).post("/sign-in/approve", {"user_code": code, "refuse": refuse})
    if state(ctx).json:
        import json

        click.echo(json.dumps(told, indent=2))
    elif refuse:
        click.echo("Refused: the device gets no token.")
    else:
        click.echo(f"Allowed: the device is signed in as {told['person']} ({', '.join(told['scopes'])}).")


def _by_device(client: Client, scope: str) -> Mapping[str, Any]:
    from hanse.client import HanseError

    begun = client.form("/sign-in/device", {"scope": scope})
    minutes = int(begun["expires_in"]) // 60
    click.echo(
        f"Open {begun['verification_uri']} on any device and enter the code {begun['user_code']}\n"
        f"or, where you are signed in: hanse login --approve {begun['user_code']}\n"
        f"Waiting for at most {minutes} minutes; Ctrl C stops.",
        err=True,
    )
    wait = float(begun["interval"])
    while True:
        time.sleep(wait)
        try:
            return client.form("/sign-in/token", {"grant_type": _DEVICE, "device_code": begun["device_code"]})  # type: ignore[no-any-return]  # JSON
        except HanseError as error:
            word = error.problem.get("error")
            if word == "slow_down":
                wait += 5  # RFC 8628 §3.5
            elif word != "authorization_pending":
                raise


def _by_browser(client: Client, scope: str) -> Mapping[str, Any]:
    verifier, sent_state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with Loopback(sent_state) as back:
        asked = {"redirect_uri": back.address, "state": sent_state, "code_challenge": hashed, "scope": scope}
        page = f"{client.address}/sign-in?{urlencode(asked)}"
        click.echo(f"Opening the browser; if it stays closed, open\n{page}", err=True)
        webbrowser.open(page)
        code = back.wait(_BROWSER_SECONDS)
    fields = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": back.address}
    return client.form("/sign-in/token", fields)  # type: ignore[no-any-return]  # JSON


def _has_browser() -> bool:
    if not sys.stderr.isatty():
        return False
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True

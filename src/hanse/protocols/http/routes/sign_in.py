"""Sign-in at the built-in issuer: a device waits for its person, a browser brings a code back (RFC 8628, RFC 7636)."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from hanse.governance.decision import Principal
from hanse.governance.identity import SCOPES, TokenRefused
from hanse.node.sign_ins import INTERVAL, WAITS, SignInError, Token
from hanse.protocols.http.call import Call
from hanse.protocols.http.errors import BadRequest, NotSupportedBody
from hanse.protocols.http.routes import PUBLIC, route
from hanse.protocols.http.routes.products import document

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
FORM = "application/x-www-form-urlencoded"
_BODY = 16 * 1024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_HERE = re.compile(r"http://(127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/[A-Za-z0-9._-]{0,50})?", re.ASCII)
_STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:1.4rem}"
    "input,button{font:inherit;padding:.5rem .75rem;border:1px solid #8886;border-radius:6px}"
    "input{width:100%;box-sizing:border-box;margin-top:.25rem}button{cursor:pointer;margin-right:.5rem}"
    "button[value=allow]{background:#0b6b57;color:#fff;border-color:#0b6b57}"
    "small{opacity:.8}[role=alert]{border-left:4px solid #c2410c;padding-left:.75rem}"
    ":focus-visible{outline:3px solid #2f9e84;outline-offset:2px}"
)
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_WORDS = {"read": "read what you may read", "build": "build and publish", "administer": "decide on access"}


@route("GET", "/whoami", "read", "Who the token says you are, and what it may do.")
async def whoami(call: Call) -> Response:
    who = call.principal
    told = {"person": who.name, "teams": sorted(who.teams), "attributes": dict(who.attributes)}
    return document({"schema": "hanse.whoami/1", **told, "scopes": [s for s in SCOPES if s in who.scopes]})


@route("POST", "/sign-in/device", PUBLIC, "Begin the sign-in of a device (RFC 8628); a form: scope.", body_bytes=_BODY)
async def device(call: Call) -> Response:
    form = await _form(call)
    made = call.node.sign_ins.device(form.get("scope", " ".join(SCOPES)).split())
    page = f"{call.api.address}/sign-in"
    return document(
        {
            "device_code": made.device_code,
            "user_code": made.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': made.user_code})}",
            "expires_in": int(WAITS.total_seconds()),
            "interval": INTERVAL,
        }
    )


@route(
    "POST",
    "/sign-in/token",
    PUBLIC,
    "The token of a sign-in (RFC 6749); a form: grant_type, device_code or code, code_verifier, redirect_uri.",
    body_bytes=_BODY,
)
async def token(call: Call) -> Response:
    form = await _form(call)
    kind = form.get("grant_type", "")
    if kind == DEVICE:
        return _told(call, call.node.sign_ins.device_token(form.get("device_code", "")))
    if kind == "authorization_code":
        wanted = (form.get(name, "") for name in ("code", "code_verifier", "redirect_uri"))
        return _told(call, call.node.sign_ins.exchange(*wanted))
    raise BadRequest(f"grant_type is {DEVICE} or authorization_code")


@route("POST", "/sign-in/approve", "read", "Allow or refuse a device as yourself.", body=("user_code", "refuse"))
async def approve(call: Call) -> Response:
    body = await call.members()
    user_code, refuse = body.needed("user_code", most=20), body.flag("refuse")
    body.end()
    who = call.principal
    decided = call.node.sign_ins.decide(user_code, who.name, who.scopes, allow=not refuse)
    return document({"schema": "hanse.sign-in/1", "person": who.name, "scopes": decided.scopes, "allowed": not refuse})


@route("GET", "/sign-in", PUBLIC, "The page on which a person allows a sign-in.")
async def page(call: Call) -> Response:
    return _page(call, call.params)


@route("POST", "/sign-in", PUBLIC, "The page's form, sent.", body_bytes=_BODY)
async def send(call: Call) -> Response:
    form = await _form(call)
    if "redirect_uri" in form:
        _checked_redirect(form)
    try:
        who = call.api.identities.principal(
            [(b"authorization", f"Bearer {form.get('token', '').strip()}".encode())], "read"
        )
        return _decided(call, form, who)
    except (TokenRefused, SignInError, UnicodeEncodeError) as error:
        return _page(call, form, wrong=getattr(error, "message", "the token is not one of this mesh"))


def _decided(call: Call, form: dict[str, str], who: Principal) -> Response:
    sign_ins, allow = call.node.sign_ins, form.get("act") == "allow"
    if "redirect_uri" not in form:
        sign_ins.decide(form.get("user_code", ""), who.name, who.scopes, allow=allow)
        said = "It is signed in. You can close this page." if allow else "It was refused. You can close this page."
        return _html(f"<p><b>{said}</b></p>")
    answer = {"state": form.get("state", "")}
    if allow:
        scopes = who.scopes & frozenset(form.get("scope", "").split())
        answer["code"] = sign_ins.authorize(who.name, scopes, form["code_challenge"], form["redirect_uri"])
    else:
        answer["error"] = "access_denied"
    return Response(status_code=303, headers={"location": f"{form['redirect_uri']}?{urlencode(answer)}"})


def _page(call: Call, asked: dict[str, str], wrong: str = "") -> Response:
    kept = {name: asked[name] for name in ("redirect_uri", "state", "code_challenge", "scope") if name in asked}
    if "redirect_uri" in asked:
        scopes = tuple(_checked_redirect(asked))
        intro = "<p>A program on this machine wants to sign in as you.</p>"
    else:
        intro = "<p>Enter the code that the device shows.</p>" + _field("user_code", "Code", asked.get("user_code", ""))
        try:
            scopes = call.node.sign_ins.waiting(asked["user_code"]).scopes if asked.get("user_code") else ()
        except SignInError as error:
            scopes, wrong = (), wrong or error.message
    hidden = "".join(f'<input type="hidden" name="{n}" value="{escape(v, quote=True)}">' for n, v in kept.items())
    may = f"<p>It may then: {', '.join(_WORDS[scope] for scope in scopes)}.</p>" if scopes else ""
    alarm = f'<p role="alert"><b>{escape(wrong)}</b></p>' if wrong else ""
    return _html(
        f'{alarm}<form method="post" action="/sign-in" autocomplete="off">{hidden}{intro}{may}'
        f"{_field('token', 'Your token', '', 'password')}"
        "<p><small>On the node's own machine <code>hanse token PERSON</code> prints one. Allow only what you began "
        "yourself.</small></p>"
        '<button name="act" value="allow">Allow</button> <button name="act" value="refuse">Refuse</button></form>',
        status=403 if wrong else 200,
    )


def _field(name: str, label: str, value: str, kind: str = "text") -> str:
    said = f'value="{escape(value[:20], quote=True)}" ' if value else ""
    return (
        f'<p><label for="{name}">{label}</label><br>'
        f'<input id="{name}" name="{name}" type="{kind}" {said}required maxlength="4000" spellcheck="false"></p>'
    )


def _html(body: str, status: int = 200) -> Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in · hanse</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Sign in to hanse</h1>{body}</main></body></html>"
    )
    # a form may lead back to the program that waits on this machine, and nowhere else
    policy = (
        f"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "form-action 'self' http://127.0.0.1:* http://[::1]:*"
    )
    return Response(text, status, {"cache-control": "no-store", "content-security-policy": policy}, "text/html")


def _checked_redirect(asked: dict[str, str]) -> list[str]:
    """The scopes that a program on this machine asks for; raise when its code would go anywhere else."""
    if not _HERE.fullmatch(asked["redirect_uri"]):
        raise BadRequest("redirect_uri is not an address of this machine", mend="hanse login")
    if not _CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        raise BadRequest("code_challenge is not one of S256", mend="hanse login")
    if len(asked.get("state", "")) > 200:
        raise BadRequest("state is too long", mend="hanse login")
    return [scope for scope in SCOPES if scope in asked.get("scope", "").split()]


async def _form(call: Call) -> dict[str, str]:
    if (call.header(b"content-type") or "").partition(";")[0].strip().lower() != FORM:
        raise NotSupportedBody(f"the body must be {FORM}")
    try:
        return dict(parse_qsl((await call.raw()).decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise BadRequest("the body is not a form") from error


def _told(call: Call, given: Token) -> Response:
    body: dict[str, Any] = {
        "access_token": given.access_token,
        "token_type": "Bearer",
        "expires_in": int((given.ends - call.api.clock()).total_seconds()),
        "scope": " ".join(given.scopes),
        "person": given.person,
    }
    return Response(json.dumps(body), 200, {"cache-control": "no-store"}, "application/json")

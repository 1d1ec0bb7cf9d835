"""Signing in at a serving node, on a device and through a browser's requests."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hanse.cli.login import _by_browser
from hanse.cli.loopback import Loopback, NotSignedInByBrowser
from hanse.client import Client, HanseError
from tests.demo import BIN, Demo

FORM = {"content-type": "application/x-www-form-urlencoded"}


def _outside(demo: Demo, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A call from another machine: outside the project, with a keeping place of its own."""
    environment = {**demo.environment, "XDG_CONFIG_HOME": str(home), "HANSE_NODE": demo.url}
    return subprocess.run(
        [str(BIN / "hanse"), *words], cwd=home, env=environment, capture_output=True, text=True, timeout=60
    )


def test_a_device_signs_in_is_known_and_signs_out(demo: Demo, tmp_path: Path) -> None:
    refused = _outside(demo, tmp_path, "whoami")
    assert refused.returncode == 3
    assert f"hanse login --node {demo.url}" in refused.stderr

    environment = {**demo.environment, "XDG_CONFIG_HOME": str(tmp_path), "HANSE_NODE": demo.url}
    line = [str(BIN / "hanse"), "login", "--device"]
    with subprocess.Popen(
        line, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as device:
        assert device.stderr is not None
        first = device.stderr.readline()
        found = re.search(r"code ([A-Z]{4}-[A-Z]{4})", first)
        assert found is not None, first
        allowed = demo.hanse("login", "--approve", found[1], person="consumer")
        assert "signed in as consumer" in allowed.stdout, allowed.stderr
        out, _ = device.communicate(timeout=30)
    assert device.returncode == 0
    assert out.startswith(f"Signed in as consumer at {demo.url}")

    who = json.loads(_outside(demo, tmp_path, "whoami", "--json").stdout)
    assert (who["person"], who["scopes"]) == ("consumer", ["read", "build", "administer"])
    counted = _outside(demo, tmp_path, "query", "select count(*) as n from operations.carriers", "--as", "csv")
    assert counted.stdout == "n\n16\n", counted.stderr
    assert demo.url in _outside(demo, tmp_path, "logout").stdout
    assert _outside(demo, tmp_path, "whoami").returncode == 3


def test_a_browser_brings_the_code_back(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    def browse(page: str) -> bool:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}

        def visit() -> None:
            assert "wants to sign in" in httpx.get(page, trust_env=False).text
            wrong = httpx.post(f"{demo.url}/sign-in", data={**asked, "token": "no", "act": "allow"}, trust_env=False)
            assert wrong.status_code == 403
            sent = {**asked, "token": demo.token("consumer"), "act": "allow"}
            httpx.post(f"{demo.url}/sign-in", data=sent, trust_env=False, follow_redirects=True)

        threading.Thread(target=visit).start()
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    client = Client(demo.url, None)
    told = _by_browser(client, "read")
    client.close()
    assert (told["person"], told["scope"]) == ("consumer", "read")


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1.evil.example/"},
        {"redirect_uri": "http://evil.example@127.0.0.1/?x"},
        {"code_challenge": "short"},
        {"state": "s" * 201},
    ],
)
def test_a_code_goes_to_this_machine_only(demo: Demo, change: dict[str, str]) -> None:
    asked = {"redirect_uri": "http://127.0.0.1:1/", "code_challenge": "c" * 43, "state": "s", "scope": "read", **change}
    assert httpx.get(f"{demo.url}/sign-in", params=asked, trust_env=False).status_code == 400
    sent = {**asked, "token": demo.token("consumer"), "act": "allow"}
    assert httpx.post(f"{demo.url}/sign-in", data=sent, trust_env=False).status_code == 400


def test_the_page_shows_what_was_typed_as_text(demo: Demo) -> None:
    page = httpx.get(f"{demo.url}/sign-in", params={"user_code": '"><script>x'}, trust_env=False)
    assert "<script>" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]


def test_another_person_cannot_finish_a_sign_in_unseen() -> None:
    with Loopback("right") as back:
        assert httpx.get(f"{back.address}?state=wrong&code=c", trust_env=False).status_code == 400
        with pytest.raises(NotSignedInByBrowser):
            back.wait(0.1)
        httpx.get(f"{back.address}?state=right&error=access_denied", trust_env=False)
        with pytest.raises(NotSignedInByBrowser, match="refused"):
            back.wait(5)


def test_an_unknown_code_is_refused_in_the_words_of_oauth(demo: Demo) -> None:
    client = Client(demo.url, None)
    fields: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": "x",
        "code_verifier": "y",
        "redirect_uri": "z",
    }
    with pytest.raises(HanseError) as caught:
        client.form("/sign-in/token", fields)
    assert (caught.value.status, caught.value.problem["error"]) == (400, "expired_token")
    client.close()

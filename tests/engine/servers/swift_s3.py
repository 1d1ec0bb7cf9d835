"""A real S3 server in one process: OpenStack Swift with its s3api, all four of its servers on loopback.

Run as `python swift_s3.py FOLDER`; it prints the port of the S3 address once it answers.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import logging  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

USER, KEY = "test:tester", "testing"


def listener() -> socket.socket:
    return eventlet.listen(("127.0.0.1", 0))


def main(folder: Path) -> None:
    from swift.common import utils
    from swift.common.ring import RingBuilder

    utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b"hanse", b"tests"
    devices = folder / "devices"
    (devices / "sda1").mkdir(parents=True)
    conf = {
        "swift_dir": str(folder), "devices": str(devices), "mount_check": "false", "workers": "0",
        "log_level": "CRITICAL", "fallocate_reserve": "0", "disable_fallocate": "true",
    }  # fmt: skip
    sockets = {name: listener() for name in ("account", "container", "object")}
    for name, sock in sockets.items():
        builder = RingBuilder(4, 1, 1)
        builder.add_dev({
            "region": 1, "zone": 1, "weight": 1, "device": "sda1", "ip": "127.0.0.1", "port": sock.getsockname()[1],
        })  # fmt: skip
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{name}.ring.gz"))

    from swift.account.server import AccountController
    from swift.common.middleware import catch_errors, slo, tempauth
    from swift.common.middleware.s3api import s3api
    from swift.container.server import ContainerController
    from swift.obj.server import ObjectController
    from swift.proxy.server import Application

    quiet = logging.getLogger("quiet")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    apps = {
        "account": AccountController(conf),
        "container": ContainerController(conf),
        "object": ObjectController(conf),
    }
    for name, app in apps.items():
        eventlet.spawn(eventlet.wsgi.server, sockets[name], app, quiet, log_output=False)
    app = Application({**conf, "account_autocreate": "true", "allow_account_management": "true"})
    app = slo.filter_factory(conf)(app)  # uploads in parts become one object
    app = tempauth.filter_factory({**conf, "user_test_tester": f"{KEY} .admin"})(app)
    app = s3api.filter_factory({**conf, "auth_pipeline_check": "false", "s3_acl": "false"})(app)
    app = catch_errors.filter_factory(conf)(app)
    proxy = listener()
    print(proxy.getsockname()[1], flush=True)
    eventlet.wsgi.server(proxy, app, quiet, log_output=False)


if __name__ == "__main__":
    os.umask(0o077)
    main(Path(sys.argv[1]))

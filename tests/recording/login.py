"""Records a login at a server in the middle of a session: the keys go into a terminal, the pages of a real authorization
server are filled in by a small browser, and the address that it ends at is pasted, as over SSH.

Usage: login.py WALDEN MODEL FOLDER OUTPUT

FOLDER holds `node_modules` with `oidc-provider`. Everything is on this machine.
"""

import http.cookiejar
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from terminal import READS, READY, World

CALLBACK = "http://127.0.0.1:48763/"


class Ended(Exception):
    """The browser is sent back to walden."""


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, address):
        if address.startswith(CALLBACK):
            raise Ended(address)
        return super().redirect_request(request, file, code, message, headers, address)


def browse(address):
    """Opens a page, fills in the forms that come, and gives the address that it all ends at."""
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}), Redirects())
    fields = None
    try:
        for _ in range(6):
            data = fields and urllib.parse.urlencode(fields).encode()
            page = browser.open(address, data)
            text = page.read().decode()
            form = re.search(r'<form[^>]*action="([^"]+)"', text)
            if not form:
                sys.exit(f"a page without a form: {text[-500:]}")
            fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', text))
            if "password" in text:
                fields.update(login="ada", password="any")
            address = urllib.parse.urljoin(page.geturl(), form.group(1).replace("&amp;", "&"))
    except Ended as ended:
        return str(ended)
    sys.exit("the login does not end")


def session(terminal):
    t = terminal
    t.sees("needs your consent", "network")
    t.key("y")
    t.sees(READY, "asks for authorization")
    t.says("/servers")
    t.sees("guarded  needs your login")
    t.chooses("guarded")
    t.records("A server that needs a login", "▸ . guarded  needs your login: l begins it")
    t.key("l")
    screen = t.records("The page that it wants opened", "asks you to open a page", "client_id", "prompt=consent|scope=")
    lines = screen.split("open a page", 1)[1].split("\n\n")
    address = next(part for part in lines if "http://127.0.0.1:7001/auth" in part)
    address = "".join(line.strip() for line in address.splitlines() if not line.startswith("▲"))
    t.key("y")
    t.sees("to finish the login")
    time.sleep(READS)
    t.types(browse(address))
    t.records("The address that the browser ended at", "of the page that the browser ended at", "code=")
    t.key("C-s")
    t.records("The server is reached, and what it offers is shown", "takes walden's authorization", "who-am-i")
    t.key("y")
    t.sees(READY, without=["needs your consent"])


walden, model, folder, output = sys.argv[1:]
command = ["node", Path(__file__).with_name("authorization.mjs"), folder]
server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
try:
    assert server.stdout.readline() == "ready\n"
    world = World(walden, model)
    world.run("mcp", "add", "guarded", "--url", "http://127.0.0.1:7002/mcp")
    settings = world.home / ".config/walden/config.toml"
    settings.write_text('[network]\nallow = ["127.0.0.1:7001", "127.0.0.1:7002"]\n')
    kept = []

    def whole(terminal):
        session(terminal)
        # The token of the login has ended by now: another one is fetched without anybody being asked.
        time.sleep(20)
        kept.append(world.run("mcp", "call", "guarded", "who-am-i", "{}"))

    world.record(whole, output)
    assert "you are ada" in kept[0], kept
    print("you are ada")
finally:
    server.terminate()

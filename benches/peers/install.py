"""The servers that walden stands in for, from the registries, at the versions that it follows."""

import os
import shutil
import subprocess
import sys

NODE = {
    "filesystem": ("@modelcontextprotocol/server-filesystem", "2026.8.31", "mcp-server-filesystem"),
    "memory": ("@modelcontextprotocol/server-memory", "2026.8.31", "mcp-server-memory"),
}
PYTHON = ("mcp-server-git", "2026.10.19")


def quietly(command):
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def node_server(beneath, which):
    """Returns the command of a reference server that npm has, or `None` where it cannot be installed."""
    package, version, program = NODE[which]
    path = os.path.join(beneath, "node_modules", ".bin", program)
    if not os.path.exists(path):
        if not shutil.which("npm"):
            return None
        os.makedirs(beneath, exist_ok=True)
        with open(os.path.join(beneath, "package.json"), "w") as file:
            file.write('{"private": true}\n')
        # Both at once: npm takes away what its list does not name.
        packages = [f"{package}@{version}" for package, version, _ in NODE.values()]
        quietly(["npm", "install", "--prefix", beneath, "--no-audit", "--no-fund", "--loglevel=error", *packages])
    return [path] if os.path.exists(path) else None


def git_server(beneath):
    """Returns the command of the reference git server, or `None` where it cannot be installed."""
    package, version = PYTHON
    venv = os.path.join(beneath, "venv")
    path = os.path.join(venv, "bin", package)
    if not os.path.exists(path):
        python = os.path.join(venv, "bin", "python")
        _ = quietly([sys.executable, "-m", "venv", venv]) and quietly(
            [python, "-m", "pip", "install", "--quiet", f"{package}=={version}"]
        )
    return [path] if os.path.exists(path) else None

# /// script
# requires-python = ">=3.10"
# dependencies = ["mcp>=2,<3"]
# ///
"""The MCP server SERVER: what a host finds here, the model can use.

Text that goes to standard output breaks the protocol; print to standard error instead (`print(..., file=sys.stderr)`).
"""

from mcp.server import MCPServer

# The instructions are read by the model before anything else: say what the server is for.
server = MCPServer("SERVER", instructions="Greets people.")


@server.tool()
def greet(name: str, times: int = 1) -> str:
    """Greet somebody by name."""
    # The name of the function, its arguments with their types, and the line above are what the model knows of a tool.
    return " ".join([f"Hello, {name}!"] * times)


@server.resource("notes://welcome")
def welcome() -> str:
    """What this server is about."""
    # The user puts it into a message: @SERVER:notes://welcome
    return "This server greets people. Ask for a greeting."


@server.prompt()
def introduce(name: str) -> str:
    """Ask for somebody to be introduced."""
    # The user writes /SERVER:introduce and is asked for the name.
    return f"Greet {name}, and say in one sentence who you are."


if __name__ == "__main__":
    server.run()

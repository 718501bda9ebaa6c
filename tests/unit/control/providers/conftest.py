"""The server that misbehaves, as a fixture of this folder's tests."""

from tests.servers.openai_server import openai_server

__all__ = ["openai_server"]

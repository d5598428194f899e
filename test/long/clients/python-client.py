"""An MCP client on the Python SDK, driven by lines on stdin and answering with one JSON object a line on stdout.

Commands: `whoami` lists the tools and calls one; `expire` makes the SDK believe that its access token has expired.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlparse

import httpx2
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

URL, REDIRECT_URI, AUTH_METHOD = sys.argv[1:4]


def say(**message):
    print(json.dumps(message), flush=True)


async def read_line():
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


class Memory(TokenStorage):
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        say(token=tokens.access_token, scope=tokens.scope)

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info
        say(registered=client_info.client_id, method=client_info.token_endpoint_auth_method)


async def open_browser(url):
    say(open=url)


async def wait_for_callback():
    query = parse_qs(urlparse(await read_line()).query)
    first = {name: values[0] for name, values in query.items()}
    return AuthorizationCodeResult(code=first["code"], state=first.get("state"), iss=first.get("iss"))


async def whoami(session):
    tools = await session.list_tools()
    result = await session.call_tool("whoami", {})
    say(tools=[tool.name for tool in tools.tools], whoami=result.content[0].text)


async def main():
    metadata = OAuthClientMetadata(
        client_name="A Python application",
        redirect_uris=[REDIRECT_URI],
        token_endpoint_auth_method=None if AUTH_METHOD == "default" else AUTH_METHOD,
    )
    provider = OAuthClientProvider(URL, metadata, Memory(), open_browser, wait_for_callback)
    async with httpx2.AsyncClient(auth=provider, timeout=30) as http:
        async with streamable_http_client(URL, http_client=http) as (read, write, *_):
            async with ClientSession(read, write) as session:
                await session.initialize()
                while (command := await read_line()) not in ("", "end"):
                    if command == "expire":
                        provider.context.token_expiry_time = 1
                        say(expired=True)
                    else:
                        await whoami(session)


asyncio.run(main())

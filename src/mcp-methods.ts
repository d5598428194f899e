// The methods of the Streamable HTTP transport. Pure.

export const MCP_METHODS: readonly string[] = ['POST', 'GET', 'DELETE']

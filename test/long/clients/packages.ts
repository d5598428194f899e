// Where the client packages are that this project does not depend on. `.ci/run` installs them; elsewhere their tests are
// skipped, visibly.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** A folder with `node_modules`: `npm install --prefix FOLDER mcp-remote @modelcontextprotocol/inspector`. */
const folder = process.env.MCP_CLIENTS

/** A Python with the package `mcp`. */
export const python = process.env.MCP_PYTHON
export const WHY_NO_PYTHON = 'no Python with the package mcp: name its binary in MCP_PYTHON'

export const mcpRemote = installed('mcp-remote/dist/proxy.js')
export const inspector = installed('@modelcontextprotocol/inspector/clients/launcher/build/index.js')
export const WHY_SKIPPED = 'it is not installed: name the folder of its node_modules in MCP_CLIENTS'

function installed(program: string): string | undefined {
  const path = join(folder ?? '', 'node_modules', program)
  return folder !== undefined && existsSync(path) ? path : undefined
}

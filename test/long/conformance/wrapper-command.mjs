// What the suite runs as "the client": hands the URL it was given to the test process, which has gateways ready, and
// ends as the walk there ended.
const {
  WRAPPER_URL = '',
  MCP_CONFORMANCE_SCENARIO,
  MCP_CONFORMANCE_PROTOCOL_VERSION,
  MCP_CONFORMANCE_CONTEXT,
} = process.env

const answer = await fetch(WRAPPER_URL, {
  method: 'POST',
  body: JSON.stringify({
    scenario: MCP_CONFORMANCE_SCENARIO,
    revision: MCP_CONFORMANCE_PROTOCOL_VERSION,
    context: JSON.parse(MCP_CONFORMANCE_CONTEXT ?? '{}'),
    serverUrl: process.argv[2],
  }),
})
if (!answer.ok) {
  console.error(await answer.text())
  process.exitCode = 1
}

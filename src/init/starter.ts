// The configuration to begin with when nothing is known yet: one route that works, and the usual others to uncomment. Pure.
import { document } from './section.ts'

export function starter(): string {
  const text = document([
    {
      route: 'linear',
      title: 'Linear',
      lines: [
        'linear:',
        '  title: Linear',
        '  # A URL is all it takes where a server says who signs people in: the gateway asks it, and registers itself there.',
        '  upstream: https://mcp.linear.app/mcp',
      ],
      steps: [],
    },
  ])
  return `${text}${MORE}`
}

const MORE = `
  # Many providers take no registrations. \`mcp-oauth-gateway presets\` lists those that are known, and
  # \`mcp-oauth-gateway init --preset github\` writes what they need:
  # github:
  #   title: GitHub
  #   upstream: https://api.githubcopilot.com/mcp/
  #   auth:
  #     type: authorization_code
  #     scope: repo read:user
  #     authorization_server:
  #       preset: github
  #       client_id: \${GITHUB_CLIENT_ID}
  #       client_secret: \${GITHUB_CLIENT_SECRET}

  # One key for everybody, which clients never see:
  # tavily:
  #   upstream: https://mcp.tavily.com/mcp/
  #   auth: { type: api_key, value: "Bearer \${TAVILY_API_KEY}" }

  # A server without a sign-in of its own, behind the gateway's:
  # docs:
  #   upstream: https://docs.example.org/mcp
  #   auth: none
`

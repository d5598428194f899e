// Exit codes of every command. 78 is EX_CONFIG of sysexits.h: supervisors can be told not to restart on it.
export const EXIT = { ok: 0, failed: 1, usage: 2, unreadable: 3, config: 78 } as const

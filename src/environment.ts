// The variables of a process. Whoever needs them is given them.

export type Environment = Readonly<Record<string, string | undefined>>

// The exit statuses that scripts may rely on, and the one error that carries them out of a command.

export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3, quorumNotMet: 4 } as const

/** Ends a command with a status. `message` goes to standard error (nothing when empty), `json` to standard output. */
export class CommandError extends Error {
  readonly status: number
  readonly json: unknown
  constructor(status: number, message: string, json?: unknown) {
    super(message)
    this.name = 'CommandError'
    this.status = status
    this.json = json
  }
}

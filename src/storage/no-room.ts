// The one failure of a disk after which everything is as it was: no room, told before anything took effect. Decides which errors those are.

/** Nothing was changed, or it was undone durably: the same may be tried again. */
export class NoRoom extends Error {
  readonly code = 'ENOSPC'

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'NoRoom'
  }
}

export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}

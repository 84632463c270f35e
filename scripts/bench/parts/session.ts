// The frame of one benchmark: what it starts is stopped when it ends, fails, or is interrupted; its exit status says how it went.
// Decides nothing of what is measured. Invariant: when the process ends nothing that was started or made is left.

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface Session {
  /** Called when the benchmark ends, the newest first; what was released already must bear it. */
  onEnd(stop: () => Promise<unknown> | void): void
  /** A new directory in `place`, removed at the end. */
  folder(place: string): string
}

/** `main` says whether all was as it must be; a missed target is no failure. */
export async function inSession(main: (session: Session) => Promise<void>): Promise<void> {
  const stops: (() => Promise<unknown> | void)[] = []
  let ending: Promise<void> | null = null
  const end = (): Promise<void> => (ending ??= endAll(stops))
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted) return
      interrupted = true
      void end().then(() => process.exit(signal === 'SIGINT' ? 130 : 143))
    })
  }
  const session: Session = {
    onEnd: (stop) => void stops.push(stop),
    folder(place) {
      const made = mkdtempSync(join(place, 'quorate-bench-'))
      stops.push(() => rmSync(made, { recursive: true, force: true }))
      return made
    },
  }
  try {
    await main(session)
  } catch (error) {
    if (!interrupted) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
      process.exitCode = 1
    }
  }
  await end()
}

async function endAll(stops: (() => Promise<unknown> | void)[]): Promise<void> {
  // What begins while others end is ended too.
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) {
    try {
      await stop()
    } catch (error) {
      process.stderr.write(`at the end: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

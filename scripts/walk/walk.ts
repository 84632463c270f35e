// Plays the walk of a Markdown file against a fresh cluster and compares every answer with what the file says. Decides when an answer
// may be late: after a `sleep` (which is slept only to rewrite the file) or a `kill`, the next command is repeated until it prints what it
// should. Invariant: a command that writes is run once.

import { setTimeout as pause } from 'node:timers/promises'
import { Likeness } from './likeness.ts'
import { Stage } from './stage.ts'
import { type Step, stepsOf, trimmed } from './transcript.ts'

export interface Played {
  readonly step: Step
  /** In the words of this run. */
  readonly command: string
  readonly printed: readonly string[]
  /** Null: as the file says. */
  readonly difference: string | null
}

const PATIENCE_MS = 20_000
const SLEEP = /^sleep (\d+)$/
const WAITS = /^(?:sleep|kill) /
const WRITES = /-X (?:PUT|POST|DELETE)/

/** Stops at the first difference, unless `throughout`. */
export async function play(markdown: string, throughout = false): Promise<readonly Played[]> {
  const played: Played[] = []
  const likeness = new Likeness()
  const stage = await Stage.open()
  try {
    let patient = false
    for (const step of stepsOf(markdown)) {
      const sleep = SLEEP.exec(step.command)
      // To be rewritten, a late answer has nothing to be compared with.
      if (sleep && throughout) await pause(Number(sleep[1]) * 1000 + 500)
      const outcome = sleep
        ? { step, command: step.command, printed: [], difference: null }
        : await once(stage, likeness, step, patient && !WRITES.test(step.command), throughout)
      played.push(outcome)
      if (outcome.difference !== null && !throughout) break
      patient = WAITS.test(step.command)
    }
    return played
  } finally {
    await stage.clear()
  }
}

async function once(stage: Stage, likeness: Likeness, step: Step, patient: boolean, learn: boolean): Promise<Played> {
  const command = likeness.inThisRun(step.command)
  // To be rewritten, it is given the time that a reader would take.
  if (learn && patient) await pause(3000)
  const giveUpAt = performance.now() + PATIENCE_MS
  for (;;) {
    const printed = trimmed(await stage.run(command))
    const difference = likeness.difference(step.expected, printed)
    if (learn && difference !== null) likeness.adopt(step.expected, printed)
    if (difference === null || learn || !patient || performance.now() > giveUpAt) {
      return { step, command, printed, difference }
    }
    await pause(100)
  }
}

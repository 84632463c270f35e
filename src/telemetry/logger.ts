// Makes the one pino logger that a process hands to everything that speaks. Decides field names and what is masked; knows nothing
// of what is logged. Invariant: a log line is one line of JSON, and no secret, context token or value stands in it.

import { type DestinationStream, type LevelWithSilent, type Logger, pino, stdTimeFunctions } from 'pino'

/** What the rooms ask of a logger; pino's fits. */
export type { Logger } from './log.ts'

export interface LoggerOptions {
  /** The member's name: `node` on every line. */
  readonly node: string
  readonly level: LevelWithSilent
  /** Where lines go; default: standard error, because standard output is for data. */
  readonly destination?: DestinationStream
}

const MASKED = ['secret', '*.secret', 'context', '*.context', 'headers.authorization', 'headers["quorate-context"]']

export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { node: options.node },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: MASKED, censor: '***' },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  )
}

// A logger that remembers, for tests of what operators are told.

import type { Logger } from '../src/telemetry/log.ts'

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: object
}

export function remember(lines: Line[]): Logger {
  const at =
    (level: Line['level']) =>
    (fields: object, message: string): void =>
      void lines.push({ level, message, fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

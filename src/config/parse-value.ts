// Turns the text of a flag or of an environment variable, or a value of the file, into a setting's typed value.
// Knows nothing of limits (the schema does) nor of where the text came from.

import type { SettingKind } from './settings.ts'

export type Parsed = { readonly type: 'value'; readonly value: unknown } | { readonly type: 'malformed' }

const MALFORMED: Parsed = { type: 'malformed' }

const BYTE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1024],
  ['kib', 1024],
  ['m', 1024 ** 2],
  ['mib', 1024 ** 2],
  ['g', 1024 ** 3],
  ['gib', 1024 ** 3],
])

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['ms', 1],
  ['s', 1000],
  ['min', 60_000],
  ['h', 3_600_000],
])

const TRUE = ['true', '1', 'yes', 'on']
const FALSE = ['false', '0', 'no', 'off']

export function parseText(kind: SettingKind, text: string): Parsed {
  const trimmed = text.trim()
  switch (kind) {
    case 'text':
      return { type: 'value', value: trimmed }
    case 'integer':
      return /^-?\d+$/.test(trimmed) ? { type: 'value', value: Number(trimmed) } : MALFORMED
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(trimmed) ? { type: 'value', value: Number(trimmed) } : MALFORMED
    case 'bytes':
      return withUnit(trimmed, BYTE_UNITS)
    case 'duration':
      return withUnit(trimmed, DURATION_UNITS)
    case 'boolean':
      if (TRUE.includes(trimmed.toLowerCase())) return { type: 'value', value: true }
      return FALSE.includes(trimmed.toLowerCase()) ? { type: 'value', value: false } : MALFORMED
    case 'list':
      return {
        type: 'value',
        value: trimmed
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      }
  }
}

/** A file has types of its own; text is read as elsewhere where the setting is not text itself (`"64 MiB"`, `"a,b"`). */
export function parseFileValue(kind: SettingKind, value: unknown): Parsed {
  if (kind === 'text' || typeof value !== 'string') return { type: 'value', value }
  return parseText(kind, value)
}

function withUnit(text: string, units: ReadonlyMap<string, number>): Parsed {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text)
  const unit = units.get((match?.[2] ?? '').toLowerCase())
  if (match === null || unit === undefined) return MALFORMED
  return { type: 'value', value: Number(match[1]) * unit }
}

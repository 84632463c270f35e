// Shows that real time, chance and devices are found where they are banned, through every usual door.

import { describe, expect, test } from 'vitest'
import { bannedViolations } from '../../scripts/check/banned.ts'
import { parseSource } from '../../scripts/check/source.ts'

function check(path: string, text: string): string[] {
  return bannedViolations([parseSource(path, text)]).map((found) => found.message)
}

describe('banned globals', () => {
  test.each([
    'export const at = Date.now()',
    "export const at = Date['now']()",
    'export const now = Date.now',
    'const { now } = Date',
    'export const at = new Date()',
    'export const at = Date()',
    'export const at = globalThis.Date.now()',
    'export const chance = Math.random()',
    'export const at = performance.now()',
    'export const at = globalThis.performance.now()',
    'setTimeout(() => {}, 1)',
    'export const later = setTimeout',
    'export const timers = { setTimeout }',
    'export const timers = { after: setTimeout }',
    'export class Clock { after = setTimeout }',
    'globalThis.setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'queueMicrotask(() => {})',
    'process.nextTick(() => {})',
    'const { nextTick } = process',
    "import { nextTick } from 'node:process'",
    'export const signal = AbortSignal.timeout(5)',
    'export const id = crypto.randomUUID()',
    "import { createHash, randomBytes } from 'node:crypto'",
    "import { readFile } from 'node:fs/promises'",
    "import { readFileSync as read } from 'fs'",
    "import * as net from 'node:net'",
    "import { createServer } from 'node:http'",
    "import dgram from 'node:dgram'",
    "import { setTimeout as sleep } from 'node:timers/promises'",
    "const { readFileSync } = await import('node:fs')",
    "export { readFileSync } from 'node:fs'",
    "import { performance } from 'node:perf_hooks'",
  ])('%s', (text) => {
    expect(check('src/replica/merge.ts', text)).toHaveLength(1)
  })

  test.each([
    '// Date.now() and setTimeout are for io alone',
    "export const text = 'Date.now() setTimeout(process.nextTick) Math.random()'",
    'export const text = `new Date() ${1} queueMicrotask`',
    'export const at = new Date(0).toISOString()',
    'export const parse = (text: string): number => Date.parse(text)',
    'export const after = (clock: Clock): void => clock.setTimeout(1)',
    'export class Virtual { setTimeout(): void {} }',
    'export interface Timers { setTimeout: () => void; performance: number }',
    'export const names = { setTimeout: 1, performance: 2 }',
    'export const largest = Math.max(1, 2)',
    'export type Hrtime = bigint',
    "import type { FileHandle } from 'node:fs/promises'",
    "import { createHash } from 'node:crypto'",
    "import { createHistogram } from 'node:perf_hooks'",
  ])('free: %s', (text) => {
    expect(check('src/replica/merge.ts', text)).toEqual([])
  })

  test('the shell may use them', () => {
    const text = "import { open } from 'node:fs/promises'\nsetTimeout(() => Math.random() + Date.now(), 1)"
    for (const room of ['io', 'http', 'cli']) expect(check(`src/${room}/x.ts`, text)).toEqual([])
  })

  test('the simulator may wait and write files, yet takes neither time nor chance from the machine', () => {
    const path = 'src/simulator/driver.ts'
    expect(check(path, "import { writeFileSync } from 'node:fs'\nsetImmediate(() => {})")).toEqual([])
    expect(check(path, 'export const seed = Math.random()')).toEqual([
      'Math.random is banned here: take chance from Random',
    ])
    expect(check(path, 'export const at = Date.now()')).toEqual(['Date.now is banned here: take the time from Clock'])
  })

  test('the place and the line are told', () => {
    const [found] = bannedViolations([parseSource('src/node/x.ts', '// é\n\n  const at = Date.now() // why\n')])
    expect(found).toMatchObject({ path: 'src/node/x.ts', line: 3, excerpt: 'const at = Date.now() // why' })
  })
})

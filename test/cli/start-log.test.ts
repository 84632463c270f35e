// The life of one node in its log: JSON lines from the start to the end.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'

let data = ''
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'quorate-life-'))
})
afterEach(() => rm(data, { recursive: true, force: true }))

type Line = Readonly<Record<string, unknown>>

/** Starts a node, ends it by SIGTERM once it is ready, and returns its log. */
async function life(): Promise<Line[]> {
  const flags = ['--name', 'n', '--port', '0', '--peer-port', '0', '--data', data, '--clock-bound-ms', '10']
  const node = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts', 'start', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    const lines: string[] = []
    const told = once(
      createInterface({ input: node.stderr }).on('line', (line) => lines.push(line)),
      'close',
    )
    const ended = once(node, 'exit')
    await Promise.race([once(node.stdout, 'data'), ended])
    node.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    await told
    return lines.map((line) => JSON.parse(line) as Line)
  } finally {
    node.kill('SIGKILL')
  }
}

test('says how it starts, what it found, that it serves, why it ends, and that it did', async () => {
  const first = await life()
  const told = first.filter(({ level }) => level === 'info').map(({ msg }) => msg)
  expect(told).toEqual(['starting', 'a new storage', 'cluster known', 'serving', 'draining', 'stopped'])
  expect(first[0]).toMatchObject({ name: 'n', data, join: [] })
  for (const field of ['version', 'clients', 'peers']) expect(first[0]?.[field], field).toMatch(/[:.]\d/)
  expect(first.at(-2)).toMatchObject({ why: 'SIGTERM' })
  const second = await life()
  const recovered = second.find(({ msg }) => msg === 'recovered, closed cleanly')
  expect(recovered).toMatchObject({ keys: 0, hints: 0, tornBytes: 0 })
  expect(recovered?.['elapsedMs']).toBeTypeOf('number')
})

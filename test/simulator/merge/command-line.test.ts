// `--merge FILE` as its users meet it: the shipped examples, and modules that cannot be used.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const folder = { path: '' }
beforeAll(() => void (folder.path = mkdtempSync(join(tmpdir(), 'quorate-merge-'))))
afterAll(() => rmSync(folder.path, { recursive: true, force: true }))

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function simulate(file: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/simulate.ts', '--merge', file, ...args])
    const said = { stdout: '', stderr: '' }
    child.stdout.on('data', (bytes: Buffer) => void (said.stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => void (said.stderr += bytes.toString()))
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, ...said }))
  })
}

function simulateText(source: string): Promise<Ended> {
  const file = join(folder.path, `${Math.random().toString(36).slice(2)}.mjs`)
  writeFileSync(file, source)
  return simulate(file, '--seed', '1')
}

describe('examples', { timeout: 180_000 }, () => {
  test('the union of carts converges and loses nothing', async () => {
    const { status, stdout } = await simulate('scripts/simulate-merge/cart-union.ts', '--seeds', '1..2')
    expect([status, stdout]).toEqual([0, expect.stringContaining('converges  yes')])
    expect(stdout).toMatch(/2 seeds, \d{3,} operations, \d{2,} faults/)
    expect(stdout).toMatch(/conflicts {2}\d{2,} merges of 2 to \d+ siblings/)
    expect(stdout).toMatch(/lost {7}nothing: the last values show all \d{2,} acknowledged edits/)
    expect(stdout).toContain('no violation')
  })

  test('the last writer of each field converges, and loses edits that were acknowledged', async () => {
    const { status, stdout } = await simulate('scripts/simulate-merge/last-writer-by-field.ts', '--seed', '1')
    expect([status, stdout]).toEqual([1, expect.stringContaining('converges  yes')])
    expect(stdout).toMatch(/lost {7}\d+ of \d+ acknowledged edits/)
    expect(stdout).toMatch(/seed 1: c\d merged at/)
    expect(stdout).toContain('no violation')
  })
})

describe('a merge that does not converge', { timeout: 180_000 }, () => {
  test('appends: it never comes to rest, and what it breaks is shown', async () => {
    // Short values: it would grow without end.
    const { status, stdout } = await simulateText(`
      export const initial = ''
      export const change = (value, edit) => edit.id
      export const lost = () => []
      export default (siblings) => siblings.join('').slice(-6)`)
    expect([status, stdout]).toEqual([1, expect.stringContaining('converges  NO')])
    expect(stdout).toMatch(/NO {3}their order does not matter: broken \d+ times/)
    expect(stdout).toMatch(/in the order #2, #1: "/)
    expect(stdout).toContain('no violation')
  })

  test('throws: said with what it was given', async () => {
    const { status, stdout } = await simulateText(`export default () => { throw new RangeError('no merge today') }`)
    expect(status).toBe(1)
    expect(stdout).toMatch(/failed {5}seed 1: merge threw RangeError: no merge today; it was given\n +\[/)
  })

  test('never returns: ended after a while', async () => {
    const { status, stdout } = await simulateText(`export default () => { for (;;); }`)
    expect([status, stdout]).toEqual([1, expect.stringContaining('did not return within')])
  })

  test('returns nothing', async () => {
    const { status, stdout } = await simulateText(`export default (siblings) => { siblings.flat() }`)
    expect([status, stdout]).toEqual([1, expect.stringContaining('is a `return` missing?')])
  })
})

describe('cannot be used:', () => {
  test('no file', async () => {
    const { status, stdout, stderr } = await simulate(join(folder.path, 'none.mjs'))
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain('there is no ')
    expect(stderr).toContain('export default function merge(siblings)')
  })

  test.for([
    ['no default export', 'export const merge = () => []', 'no function as its default export'],
    ['a default export that is no function', 'export default 7', 'no function as its default export'],
    ['a syntax error', 'export default (', 'cannot be loaded: SyntaxError'],
    ['a change that is no function', 'export default () => []; export const change = 1', 'change is not a function'],
    [
      'an initial value that is no JSON',
      'export default () => []; export const initial = () => {}',
      'initial is no JSON',
    ],
  ] as const)('%s', async ([, source, why]) => {
    const { status, stdout, stderr } = await simulateText(source)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain(why)
    expect(stderr).not.toContain('    at ')
  })
})

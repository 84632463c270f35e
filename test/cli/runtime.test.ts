// A process that begins itself anew as a server, and one that must not or can not.

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const RUNTIME = resolve(import.meta.dirname, '../../src/cli/runtime.ts')
const folder = mkdtempSync(join(tmpdir(), 'quorate-runtime-'))
const probe = join(folder, 'probe.mjs')
writeFileSync(
  probe,
  `import { becomeServer } from ${JSON.stringify(RUNTIME)}
becomeServer(process.argv[1], process.argv.slice(2))
console.log(JSON.stringify([process.execArgv, process.env.MALLOC_ARENA_MAX ?? null, process.argv.slice(2)]))`,
)
afterAll(() => rmSync(folder, { recursive: true }))

const ENV = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(RUNTIME_OF_QUORATE|NODE_OPTIONS|MALLOC_|VITEST)/.test(name)),
)

function run(env: Readonly<Record<string, string>>, file: string = process.execPath, flags: readonly string[] = []) {
  const options = { env: { ...ENV, ...env }, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(file, [...flags, probe, 'start', '', 'a b'], options)
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout) as [string[], string | null, string[]]
}

it('begins anew once, with flags and settings, and the same arguments', () => {
  const [flags, arenas, args] = run({})
  expect(flags).toContain('--max-semi-space-size=16')
  expect(arenas).toBe('1')
  expect(args).toEqual(['start', '', 'a b'])
})

it('lets win what the user set', () => {
  const [flags, arenas] = run({ NODE_OPTIONS: '--max-semi-space-size=64', MALLOC_ARENA_MAX: '3' })
  expect(flags.filter((flag) => flag.startsWith('--max-semi-space-size'))).toEqual([])
  expect(arenas).toBe('3')
  expect(run({}, process.execPath, ['--max-semi-space-size=32'])[0].at(-1)).toBe('--max-semi-space-size=32')
})

it('stays as it is where it is told so, or can not begin anew', () => {
  expect(run({ RUNTIME_OF_QUORATE: 'mine' })[0]).toEqual([])
  const copy = join(folder, 'node')
  copyFileSync(process.execPath, copy)
  const gone = join(folder, 'gone.mjs')
  writeFileSync(gone, `import { unlinkSync } from 'node:fs'; unlinkSync(${JSON.stringify(copy)})`)
  expect(run({}, copy, ['--import', gone])[1]).toBeNull()
})

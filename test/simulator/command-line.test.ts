// The simulator's command line refuses what it cannot run, before it runs anything.

import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

function simulate(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['scripts/simulate.ts', ...args], { encoding: 'utf8' })
}

test.for([
  [['--seed', 'abc'], 'a whole number'],
  [['--seed', '1.5'], 'a whole number'],
  [['--seeds', '5..1'], 'A..B'],
  [['--seeds', 'x'], 'A..B'],
  [['--jobs', '0'], 'a whole number'],
  [['--no-such-option'], '--no-such-option'],
  [['--shrink'], '--shrink needs --seed'],
  [['--hours', '0'], '--hours takes'],
  [['--hours', '1', '--seeds', '1..2'], '--hours takes'],
  [['--mutant', 'x'], 'last-write-wins'],
  [['--crash-points', '--workload', 'x'], 'records'],
  [['--crash-points', '--sample', '0'], 'a whole number'],
  [['--crash-points', '--point', 'records:x'], 'records:17:before:killed'],
] as const)('%j is a usage error', ([args, why]) => {
  const { status, stdout, stderr } = simulate(...args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain(why)
  expect(stderr).toContain('--seeds A..B')
  expect(stderr).not.toContain('    at ')
})

// `npm test`: all that a change must pass, the checks and then every suite, in one command.
// Invariant: the last line is `N passed, N failed`, and the exit status is 0 only when nothing failed.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTool } from '../check/process.ts'
import { check } from '../check/run.ts'
import { tally, type Tally } from './tally.ts'

const failedChecks = await check()
const suites = await runSuites(process.argv.slice(2))

for (const name of suites.skippedNames) process.stdout.write(`skipped: ${name}\n`)
for (const remark of suites.remarks) process.stdout.write(`failed: ${remark}\n`)
for (const name of failedChecks) process.stdout.write(`failed: check ${name}\n`)
// A failed check counts as one failure, so that the last line never looks green beside a red exit status.
const failed = suites.failed + failedChecks.length
process.exitCode = failed === 0 ? 0 : 1
process.stdout.write(`${suites.passed} passed, ${failed} failed\n`)

async function runSuites(filters: readonly string[]): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-test-'))
  const file = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const { status, output } = await runTool(
      ['vitest', 'run', '--config', 'test/vitest.config.ts', ...reporters, ...filters],
      'stream',
    )
    process.stdout.write(output)
    return tally(readOrNull(file), status)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

// `npm run check`: runs every step, or those named as arguments, and shows the output of the ones that failed.
// Invariant: a failure stops only the steps that would echo it, so that one round shows all there is to mend.

import { runTool } from './process.ts'
import { STEPS } from './steps.ts'

/** The names of the failed steps. */
export async function check(names: readonly string[] = []): Promise<string[]> {
  const failed: string[] = []
  for (const step of STEPS) {
    if (names.length > 0 && !names.includes(step.name)) continue
    if (step.needs !== undefined && failed.includes(step.needs)) {
      process.stdout.write(`skip ${step.name} (needs ${step.needs})\n`)
      continue
    }
    const startedAt = performance.now()
    const { status, output } = await runTool(step.command, 'collect')
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    if (status !== 0) {
      failed.push(step.name)
      process.stdout.write(output)
    }
    process.stdout.write(`${status === 0 ? 'ok  ' : 'FAIL'} ${step.name} (${seconds} s)\n`)
  }
  return failed
}

if (import.meta.main) {
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name))
  if (unknown.length > 0) {
    process.stderr.write(`no such check: ${unknown.join(', ')}; there are ${STEPS.map((s) => s.name).join(', ')}\n`)
    process.exitCode = 2
  } else if ((await check(names)).length > 0) process.exitCode = 1
}

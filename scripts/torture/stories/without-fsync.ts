// The power story once more, on a copy of the sources that acknowledges what it has written but not synced: it must find that out, or it
// would find nothing. Decides what is taken out. Invariant: caught means that something acknowledged was missing, nothing else counts.

import { resolve } from 'node:path'
import type { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { inMutant } from '../../mutants/copy.ts'
import type { Mutant } from '../../mutants/list.ts'
import { MISSING } from '../final-check.ts'
import type { Verdict } from '../verdict.ts'

/** The simulator never runs this file: it has a disk of its own. */
const FILE = 'src/io/file-disk.ts'
const WITHOUT_FSYNC: Mutant = {
  name: 'without-fsync',
  guarantee: 'G1',
  edits: [
    {
      file: FILE,
      find: "const SYNCED_WRITES = process.platform === 'linux' ? constants.O_DSYNC : 0",
      replace: 'const SYNCED_WRITES: number = 0',
    },
    {
      file: FILE,
      find: '        if (this.#isLog && SYNCED_WRITES === 0) await this.#handle.datasync()\n',
      replace: '',
    },
  ],
}
const ROOT = resolve(import.meta.dirname, '../../..')

export async function mustBeCaught(
  verdict: Verdict,
  cycles: number,
  random: SeededRandom,
  say: (line: string) => void,
): Promise<void> {
  say(`the same on a copy of the sources whose log is not synced, at most ${cycles} cuts`)
  const seed = random.fork('without fsync').integer(0, 2 ** 31)
  const { output, status } = await inMutant(ROOT, WITHOUT_FSYNC, async (run) => {
    const args = ['power', '--short', '--cycles', String(cycles), '--seed', String(seed)]
    const { child, status } = run('scripts/torture/run.ts', args, 'pipe')
    const chunks: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
    return { status: await status, output: Buffer.concat(chunks).toString() }
  })
  const figure = (name: string): string => new RegExp(`^ {2}${name}: (.*)$`, 'm').exec(output)?.[1] ?? '0'
  verdict.inject('control without fsync')
  verdict.figures['without fsync: cuts, and those after which something was wrong'] =
    `${figure('power cuts of all five')}, ${figure('power cuts after which something was wrong')}`
  const missing = Number(figure(MISSING))
  verdict.figures[`without fsync: ${MISSING}`] = missing
  verdict.hold(
    status === 1 && missing > 0,
    `a copy without fsync was not caught in ${cycles} power cuts (exit status ${status}); it said:\n${output.slice(-2000)}`,
  )
}

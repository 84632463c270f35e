// The kept samples again, and a few thousand fresh ones for every target. A failure prints the seed and the command that shows it again.

import { describe, expect, it } from 'vitest'
import { corpusOf } from '../../scripts/fuzz/corpus.ts'
import { fuzz, judge } from '../../scripts/fuzz/engine.ts'
import { TARGETS } from '../../scripts/fuzz/targets.ts'

const EXECUTIONS = 6000
const SEED = Number(process.env['QUORATE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

for (const target of Object.values(TARGETS)) {
  describe(target.name, () => {
    it('take the corpus as they should', async () => {
      const samples = corpusOf(target.name)
      expect(samples.length).toBeGreaterThan(5)
      const failed: string[] = []
      for (const { file, door: name, bytes } of samples) {
        const door = target.doors.find((one) => one.name === name)
        if (door === undefined) throw new Error(`${file} is for no door of ${target.name}`)
        const { failure, kind } = await judge(door, bytes)
        if (failure !== null) failed.push(`${file}: ${failure.detail}`)
        // The name says what must come of it.
        if (file.includes('--valid-') && kind.startsWith('refused')) failed.push(`${file}: ${kind}`)
        if (file.includes('--bad-') && !kind.startsWith('refused')) failed.push(`${file}: ${kind}`)
      }
      expect(failed).toEqual([])
    })

    it(`take ${EXECUTIONS} fresh samples, seed ${SEED}`, { timeout: 120_000 }, async () => {
      const { failures, kinds, executions, accepted } = await fuzz({
        target,
        seed: SEED,
        executions: EXECUTIONS,
        seconds: 90,
        corpus: [],
        minimiseMs: 3000,
      })
      const again = `npm run fuzz -- ${target.name} --seed ${SEED} --executions ${EXECUTIONS} --jobs 1`
      expect(
        failures.map(({ signature, detail, bytes }) => `${signature}\n${detail}\n${bytes.toString('hex')}\n${again}`),
      ).toEqual([])
      // Otherwise the generators make nonsense only, or nothing but what is valid.
      expect(executions).toBeGreaterThanOrEqual(EXECUTIONS)
      expect(accepted / executions).toBeGreaterThan(0.1)
      expect(accepted / executions).toBeLessThan(0.9)
      expect(kinds.size).toBeGreaterThan(50)
    })
  })
}

// A sample of what `npm run simulate -- --crash-points` does at every operation; and that its judge objects where it must.

import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { type Moment, nameOf, pointNamed, pointsOf } from '../../src/simulator/crash-points/points.ts'
import type { StorageScript } from '../../src/simulator/crash-points/storage-script.ts'
import { StorageWorkload } from '../../src/simulator/crash-points/storage-workload.ts'
import { Judge, replayOf, tableOf, WORKLOADS } from '../../src/simulator/crash-points/sweep.ts'

const SAMPLES: Readonly<Record<string, number>> = {
  ...{ records: 200, busy: 120, hints: 200, large: 60, filling: 20 },
  ...{ 'records-tiny-files': 120, 'hints-tiny-files': 150 },
}

describe('crash points', () => {
  const judge = new Judge()

  test.each(WORKLOADS.map(({ name }) => name))(
    '%s: everything promised is there, nothing is invented, and it goes on',
    { timeout: 120_000 },
    async (workload) => {
      const { operations, figures } = await judge.survey(workload)
      const all = await judge.points(workload)
      const points = await judge.points(workload, SAMPLES[workload])
      const failures: string[] = []
      for (const point of points) {
        const failure = await judge.judge(point)
        if (failure) failures.push(`${replayOf(point)}: ${failure.operation}: ${failure.what}`)
      }
      expect(failures).toEqual([])
      expect(points.length).toBe(SAMPLES[workload])
      // Enough to be worth its name, and of every kind of operation.
      expect(operations.length).toBeGreaterThan(200)
      expect(all.length).toBeGreaterThan(1500)
      expect(figures['checkpoints']).toBeGreaterThanOrEqual(3)
      for (const kind of ['list', 'open', 'read', 'append', 'sync', 'truncate', 'rename', 'remove', 'sync-directory'])
        if (kind !== 'truncate' || (workload !== 'filling' && workload !== 'large'))
          expect(operations.some((operation) => operation.startsWith(kind))).toBe(true)
      process.stdout.write(`${workload}: ${points.length} of ${all.length} crashes, ${operations.length} operations\n`)
    },
  )

  test.each([
    ['one segment', 64 << 10, 1],
    ['a segment for two changes', 8 << 10, 3],
  ])('object where more was promised than synced, exactly there: %s', async (_, checkpointBytesMin, segments) => {
    const CHANGES = 5
    const script: StorageScript = {
      name: 'too-early',
      limits: { segmentBytesMax: 4 << 10, checkpointBytesMin },
      run: async (stage) => {
        await stage.open()
        for (let i = 0; i < CHANGES; i++) {
          const synced = stage.change((storage) => storage.putRecord(3, 'b', 'k', Buffer.alloc(600, i), []))
          stage.promised = stage.made - 1
          await synced
        }
        await stage.close()
      },
    }
    const workload = new StorageWorkload(script)
    const survey = await workload.survey()
    expect(survey.operations.filter((operation) => operation.startsWith('open log-'))).toHaveLength(segments)
    const appends = survey.operations.flatMap((operation, i) =>
      operation.startsWith('append-synced 6') ? [i + 1] : [],
    )
    expect(appends).toHaveLength(CHANGES)
    // From the operation that follows the append before (it may begin a segment) to the own append.
    const began = survey.operations.findIndex((operation) => operation === 'rename manifest.tmp manifest') + 2
    const isEarly = (operation: number, moment: Moment): boolean => {
      const next = appends.findIndex((append) => operation < append || (operation === append && moment === 'before'))
      const before = next > 0 ? (appends[next - 1] as number) : began
      return next >= 0 && operation > before
    }
    const objected: string[] = []
    const early: string[] = []
    for (const point of pointsOf(workload.name, survey)) {
      if (point.variant !== 'power-least') continue
      if (isEarly(point.operation, point.moment)) early.push(nameOf(point))
      const what = await survey.judge(point)
      if (what === null) continue
      expect(what).toContain('was promised')
      objected.push(nameOf(point))
    }
    expect(objected).toEqual(early)
    expect(objected.length).toBeGreaterThanOrEqual(CHANGES)
  })

  test('are judged by a command, in processes of their own', { timeout: 60_000 }, () => {
    const of = ['--crash-points', '--workload', 'hints', '--sample', '50']
    const all = spawnSync(process.execPath, ['scripts/simulate.ts', ...of], { encoding: 'utf8' })
    expect(all.stdout).toMatch(/^hints +\d+ +\d+ +50 +0$/m)
    const one = ['--crash-points', '--point', 'hints:20:after:power-least']
    const again = spawnSync(process.execPath, ['scripts/simulate.ts', ...one], { encoding: 'utf8' })
    expect(again.stdout).toContain('after operation 20: ')
    expect([all.status, again.status]).toEqual([0, 0])
  })

  test('have names that say where they are', () => {
    const point = { workload: 'records', operation: 17, moment: 'after', variant: 'power-any-order-1' } as const
    expect(pointNamed(nameOf(point))).toEqual(point)
    expect(pointNamed('records:17')).toBeNull()
    const result = { workload: 'records', figures: { changes: 3 }, operations: 9, variants: 1, points: 4, failures: [] }
    const failed = { ...result, failures: [{ point, operation: 'list', what: 'gone' }] }
    expect(tableOf([result, failed])).toMatch(/records +9 +1 +4 +1/)
    expect(tableOf([failed])).toContain('--crash-points --point records:17:after:power-any-order-1')
  })
})

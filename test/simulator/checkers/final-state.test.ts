// At the end, when all is mended: what was acknowledged is there or was superseded, and nothing else is.

import { describe, expect, test } from 'vitest'
import type { DotSet } from '../../../src/core/causality/dot-set.ts'
import type { Failure } from '../../../src/coordinator/operations.ts'
import { checkFinalRead, checkStored } from '../../../src/simulator/checkers/final-state.ts'
import { Observation } from '../../../src/simulator/observation.ts'
import { quorumNotMet, readOf } from './outcomes.ts'
import { contentOf, Scene, type SceneOptions, type Told } from './scene.ts'

const STARTED = 1000

async function scene(options: SceneOptions = {}): Promise<Scene> {
  const made = await Scene.open(options)
  await made.world.cluster.time.runFor(STARTED)
  return made
}

function judged(of: Scene, shows: readonly Told[], seen?: DotSet | null): string[] {
  const before = of.found.length
  const { outcome } = readOf(of, { shows, ...(seen !== undefined && { seen }) })
  checkFinalRead(of.world, of.key, 'node-0', STARTED, outcome)
  return of.guarantees.slice(before)
}

describe('good', () => {
  test('what was acknowledged is shown, or what superseded it', async () => {
    const of = await scene()
    const a = of.write('a')
    const b = of.write('b', { on: [a] })
    expect(judged(of, [b])).toEqual([])
  })

  test('what nobody knows the outcome of is there or not, and so is all that it had seen', async () => {
    const of = await scene()
    const a = of.write('a')
    const b = of.write('b', { on: [a], fate: 'unknown' })
    expect(judged(of, [a])).toEqual([])
    expect(judged(of, [b])).toEqual([])
  })

  test('a deletion that perhaps was applied excuses what it had seen', async () => {
    const of = await scene()
    const a = of.write('a')
    of.write('d', { on: [a], kind: 'delete', fate: 'unknown' })
    expect(judged(of, [a])).toEqual([])
    expect(judged(of, [])).toEqual([])
  })

  test('what has expired is gone', async () => {
    const of = await scene()
    of.write('a', { ttlMs: 1050 })
    expect(judged(of, [])).toEqual([])
  })

  test('nothing acknowledged, nothing there', async () => {
    const of = await scene()
    of.write('a', { fate: 'void' })
    expect(judged(of, [])).toEqual([])
  })

  test('with a disk from the past nothing is owed', async () => {
    const of = await scene()
    of.write('a')
    of.world.disksTrusted = false
    expect(judged(of, [])).toEqual([])
  })
})

describe('bad', () => {
  test('G2: a value vanished, and nobody had seen it', async () => {
    const of = await scene()
    of.write('a')
    expect(judged(of, [])).toEqual(['G2'])
    expect(judged(of, [of.write('b')])).toEqual(['G2'])
  })

  test('G1: a value vanished that somebody had seen, with what was written on top of it', async () => {
    const of = await scene()
    const a = of.write('a')
    of.write('b', { on: [a], fate: 'unknown' })
    expect(judged(of, [])).toEqual(['G1'])
  })

  test('G1 and G2: a chain of acknowledged writes vanished', async () => {
    const of = await scene()
    of.write('b', { on: [of.write('a')] })
    expect(judged(of, [])).toEqual(['G1', 'G2'])
  })

  test('G2: it is to live longer than that', async () => {
    const of = await scene()
    of.write('a', { ttlMs: STARTED + 101 })
    expect(judged(of, [])).toEqual(['G2'])
  })

  test('G4: what an acknowledged deletion had seen is there', async () => {
    const of = await scene()
    const a = of.write('a')
    of.write('d', { kind: 'delete', on: [a] })
    expect(judged(of, [a])).toEqual(['G4'])
  })

  test('G4: what an acknowledged write had seen is there in its place', async () => {
    const of = await scene()
    const a = of.write('a')
    of.write('b', { on: [a] })
    expect(judged(of, [a])).toEqual(['G2', 'G4'])
  })

  test('G6: what was superseded is shown beside what superseded it, acknowledged or not', async () => {
    const of = await scene()
    const a = of.write('a')
    const b = of.write('b', { on: [a], fate: 'unknown' })
    expect(judged(of, [a, b])).toEqual(['G6'])
  })

  test('G4: where the last writer wins, what lost is there', async () => {
    const of = await scene({ bucket: { conflict: 'lww' } })
    const a = of.write('a', { stamp: 1 })
    const b = of.write('b', { stamp: 2 })
    expect(judged(of, [b])).toEqual([])
    expect(judged(of, [a])).toEqual(['G2', 'G4'])
  })

  test('G11: a read fails', async () => {
    const of = await scene()
    const failure: Failure = quorumNotMet(of, 'read')
    checkFinalRead(of.world, of.key, 'node-0', STARTED, failure)
    expect(of.guarantees).toEqual(['G11'])
  })
})

describe('every stored version', () => {
  test('is whole, and somebody wrote it', async () => {
    const of = await Scene.open()
    await of.store(of.write('a'), of.homes)
    await of.store(of.write('b', { fate: 'unknown' }), of.homes.slice(1))
    checkStored(of.world, new Observation(of.world))
    expect(of.found).toEqual([])
  })

  test.for([
    ['G10', (of: Scene): Told => of.write('a', { fate: 'void' })],
    ['G13', (of: Scene): Told => changed(of, 'c9-9')],
  ] as const)('%s: or it is reported, with the home that has it', async ([guarantee, make]) => {
    const of = await Scene.open()
    const [, , third] = of.homes
    if (third) await of.store(make(of), [third])
    checkStored(of.world, new Observation(of.world))
    expect(of.guarantees).toEqual([guarantee])
    expect(of.found[0]?.what).toContain(third?.name)
  })

  test('G3: two homes hold two values under one dot', async () => {
    const of = await Scene.open()
    const [first, second] = of.homes
    const told = of.write('a')
    of.write('b')
    if (first) await of.store(told, [first])
    if (second) await of.store({ ...told, version: { ...told.version, content: contentOf(of.key, 'b') } }, [second])
    checkStored(of.world, new Observation(of.world))
    expect(of.guarantees).toEqual(['G3'])
  })

  test('a host that is down is not looked at', async () => {
    const of = await Scene.open()
    await of.store(of.write('a', { fate: 'void' }), of.homes.slice(0, 1))
    for (const host of of.homes) host.node = null
    checkStored(of.world, new Observation(of.world))
    expect(of.found).toEqual([])
  })
})

function changed(of: Scene, id: string): Told {
  const told = of.write('a')
  return { ...told, version: { ...told.version, content: contentOf(of.key, id) } }
}

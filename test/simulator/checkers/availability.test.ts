// A request succeeds while enough nodes have been left alone for a while. Which of them were is told here by hand.

import { describe, expect, test } from 'vitest'
import type { Failure } from '../../../src/coordinator/operations.ts'
import { checkAvailability } from '../../../src/simulator/checkers/availability.ts'
import { Stability, wayOf } from '../../../src/simulator/stability.ts'
import { failureOf, type FailureTold, quorumNotMet, receiptOf } from './outcomes.ts'
import { Scene, type SceneOptions } from './scene.ts'

const AT = 10_000

interface Stage {
  readonly scene: Scene
  readonly stability: Stability
  /** In the order of their homes; the fallbacks last. */
  readonly names: readonly string[]
}

async function judged(
  told: FailureTold,
  trouble: (stage: Stage) => void = () => {},
  options: SceneOptions = {},
): Promise<string[]> {
  const scene = await Scene.open({ nodes: 5, plan: { hintBytesMax: 1 << 20, bytesMax: 1 << 26 }, ...options })
  let now = 0
  const stability = new Stability(() => now)
  const homes = scene.homes.map(({ name }) => name)
  const others = scene.world.cluster.hosts.map(({ name }) => name).filter((name) => !homes.includes(name))
  for (const name of [...homes, ...others, 'everything']) stability.disturb(name)
  for (const a of homes) for (const b of [...homes, ...others]) if (a !== b) stability.disturb(wayOf(a, b))
  now = AT
  trouble({ scene, stability, names: [...homes, ...others] })
  checkAvailability(scene.world, stability, failureOf(scene, { startedAt: AT, host: homes[0] ?? '', ...told }))
  return scene.guarantees
}

const away =
  (...indexes: readonly number[]) =>
  ({ stability, names }: Stage): void => {
    for (const index of indexes) stability.begin(names[index] ?? '')
  }

describe('G11: fails though all is well', () => {
  test.for(['get', 'put', 'delete'] as const)('a %s', async (kind) => expect(await judged({ kind })).toEqual(['G11']))
  test('a coordinator that says it does not serve', async () => {
    const outcome = async (): Promise<Failure> => ({
      type: 'not-serving',
      detail: 'starting',
      receipt: receiptOf(await Scene.open(), 'eventual'),
    })
    expect(await judged({ outcome: await outcome() })).toEqual(['G11'])
  })
  test('one of three homes is away', async () => {
    expect(await judged({ kind: 'get' }, away(2))).toEqual(['G11'])
    expect(await judged({ kind: 'put' }, away(2))).toEqual(['G11'])
  })
})

describe('may fail', () => {
  test('while two of three homes are away, where nobody stands in', async () => {
    expect(await judged({ kind: 'get' }, away(1, 2))).toEqual([])
    expect(await judged({ kind: 'put' }, away(1, 2), { bucket: { sloppy: false } })).toEqual([])
  })

  test('G11: not a sloppy write: two others stand in', async () => {
    expect(await judged({ kind: 'put' }, away(1, 2))).toEqual(['G11'])
    expect(await judged({ kind: 'put', options: { sloppy: false } }, away(1, 2))).toEqual([])
    expect(await judged({ kind: 'put', options: { sloppy: true } }, away(1, 2), { bucket: { sloppy: false } })).toEqual(
      ['G11'],
    )
    expect(await judged({ kind: 'put' }, away(1, 2, 3, 4))).toEqual([])
  })

  test('a DELETE, `latest` and conditions need R homes as well', async () => {
    expect(await judged({ kind: 'delete' }, away(1, 2))).toEqual([])
    expect(await judged({ options: { context: 'latest' } }, away(1, 2))).toEqual([])
    expect(await judged({ options: { precondition: { type: 'none' } } }, away(1, 2))).toEqual([])
  })

  test('at the levels that were asked for', async () => {
    expect(await judged({ kind: 'get', options: { r: 3 } }, away(2))).toEqual([])
    expect(await judged({ kind: 'get', options: { r: 1 } }, away(1, 2))).toEqual(['G11'])
    expect(await judged({ kind: 'put', options: { w: 'all', sloppy: false } }, away(2))).toEqual([])
    expect(await judged({ kind: 'put', options: { w: 1, sloppy: false } }, away(1, 2))).toEqual(['G11'])
    expect(await judged({ kind: 'put', options: { w: 9 } })).toEqual([])
  })

  test('while the coordinator itself is in trouble', async () => expect(await judged({}, away(0))).toEqual([]))
  test('while it does not serve', async () =>
    expect(await judged({}, ({ scene }) => void (scene.homes[0]!.serving = false))).toEqual([]))
  test('while everything is', async () =>
    expect(await judged({}, ({ stability }) => stability.begin('everything'))).toEqual([]))

  test('while the ways are cut, though all nodes are well', async () => {
    const cut = ({ stability, names: [own = '', ...others] }: Stage): void => {
      for (const other of others) stability.begin(wayOf(own, other))
    }
    expect(await judged({}, cut)).toEqual([])
  })

  test('while the other homes do not serve', async () =>
    expect(
      await judged({ kind: 'get' }, ({ scene }) => {
        for (const home of scene.homes.slice(1)) home.serving = false
      }),
    ).toEqual([]))

  test('for four seconds after a trouble, and no longer', async () => {
    const over = (agoMs: number) => async (): Promise<string[]> => {
      const scene = await Scene.open()
      let now = 0
      const stability = new Stability(() => now)
      for (const { name } of scene.homes) stability.disturb(name)
      const [own = '', ...others] = scene.homes.map(({ name }) => name)
      for (const name of others) stability.disturb(wayOf(own, name))
      stability.disturb('everything')
      for (const name of others) stability.begin(name)
      now = AT - agoMs
      for (const name of others) stability.end(name)
      checkAvailability(scene.world, stability, failureOf(scene, { kind: 'get', startedAt: AT, host: own }))
      return scene.guarantees
    }
    expect(await over(3999)()).toEqual([])
    expect(await over(4000)()).toEqual(['G11'])
  })

  test('a read, while homes are filling: they take writes', async () => {
    const scene = await Scene.open({ nodes: 5 })
    const [, ...filling] = scene.homes.map(({ name }) => name)
    const fillingAtStart = new Set(filling)
    expect(await judged({ kind: 'get', fillingAtStart })).toEqual([])
    expect(await judged({ kind: 'put', fillingAtStart, options: { sloppy: false } })).toEqual(['G11'])
  })

  test('a request with less than a second', async () => {
    expect(await judged({ options: { timeoutMs: 999 } })).toEqual([])
    expect(await judged({ options: { timeoutMs: 1000 } })).toEqual(['G11'])
  })

  test('where a home that is there said no to it', async () => {
    const scene = await Scene.open()
    const no = (answer: string): Failure => quorumNotMet(scene, 'write', [{ node: 'node-1', answer }])
    for (const why of ['too-many-siblings', 'clock-ahead', 'idempotency-mismatch'])
      expect(await judged({ outcome: no(`refused:${why}`) })).toEqual([])
    expect(await judged({ outcome: no('failed') })).toEqual(['G11'])
  })

  test('where so many have no room that W do not accept it', async () => {
    const scene = await Scene.open()
    const full = (...nodes: string[]): Failure =>
      quorumNotMet(
        scene,
        'write',
        nodes.map((node) => ({ node, answer: 'refused:storage-full' })),
      )
    const options = { sloppy: false }
    expect(await judged({ outcome: full('node-0', 'node-1'), options })).toEqual([])
    expect(await judged({ outcome: full('node-0'), options })).toEqual(['G11'])
    expect(await judged({ outcome: full('node-0', 'node-1'), options: { sloppy: true } })).toEqual(['G11'])
  })

  test('a write, where hints may not fit', async () => {
    expect(await judged({}, undefined, { plan: { hintBytesMax: 2000 } })).toEqual([])
    expect(await judged({}, undefined, { plan: { bytesMax: 12_000 } })).toEqual([])
    expect(await judged({ kind: 'get' }, undefined, { plan: { hintBytesMax: 2000, bytesMax: 12_000 } })).toEqual([
      'G11',
    ])
  })

  test.for(['clocksTrusted', 'disksTrusted'] as const)('without %s', async (trust) =>
    expect(await judged({}, ({ scene }) => void (scene.world[trust] = false))).toEqual([]),
  )

  test('for a reason of its own', async () => {
    const { receipt } = quorumNotMet(await Scene.open(), 'write')
    const reasons = ['context-not-reached', 'too-many-siblings', 'storage-full', 'clock-ahead'] as const
    for (const type of reasons) expect(await judged({ outcome: { type, receipt } })).toEqual([])
  })
})

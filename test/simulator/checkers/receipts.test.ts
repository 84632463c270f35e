// A receipt says what happened: measured by what the nodes hold and by what each of them answered.

import { describe, expect, test } from 'vitest'
import type { ExplainEntry } from '../../../src/coordinator/operations.ts'
import { checkReadReceipt, checkWriteReceipt } from '../../../src/simulator/checkers/receipts.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { type ReadTold, readOf, type WriteAnswerTold, writeOf } from './outcomes.ts'
import { Scene, type SceneOptions, type Told } from './scene.ts'

/** A write that the first so many homes hold. */
async function heldBy(count: number, options: SceneOptions = {}): Promise<{ scene: Scene; a: Told; homes: Host[] }> {
  const scene = await Scene.open({ nodes: 5, ...options })
  const a = scene.write('a')
  const { homes } = scene
  await scene.store(a, homes.slice(0, count))
  return { scene, a, homes }
}

function entry({ name }: Host, answer: string, role: ExplainEntry['role'] = 'home'): ExplainEntry {
  return { node: name, role, answer, versions: [], elapsedMs: 1 }
}

function fallbacksOf({ world, homes }: Scene): Host[] {
  return world.cluster.hosts.filter((host) => !homes.includes(host))
}

describe('a read', () => {
  function judged(scene: Scene, told: ReadTold): string[] {
    const before = scene.found.length
    checkReadReceipt(scene.world, readOf(scene, told))
    return scene.found.slice(before).map(({ guarantee, what }) => `${guarantee} ${what.split(' through ')[1]}`)
  }
  const G7 = (what: string): string => expect.stringMatching(new RegExp(`^G7 node-0 ${what}`)) as string

  test('strict, of what enough homes hold', async () => {
    const { scene, a } = await heldBy(2)
    expect(judged(scene, { shows: [a] })).toEqual([])
  })

  test('G7: strict, of what too few hold', async () => {
    const { scene, a } = await heldBy(1)
    expect(judged(scene, { shows: [a] })).toEqual([G7('shows .* only')])
    expect(judged(scene, { shows: [a], guarantee: 'eventual' })).toEqual([])
  })

  test('a home that superseded it since knows it still', async () => {
    const { scene, a, homes } = await heldBy(2)
    await scene.store(scene.write('b', { on: [a] }), homes.slice(0, 1))
    expect(judged(scene, { shows: [a] })).toEqual([])
  })

  test('a home that held it and crashed meanwhile counts, one that was gone before does not', async () => {
    const { scene, a, homes } = await heldBy(2)
    const [first] = homes
    if (!first) return expect.unreachable()
    first.departed.push({ storage: scene.rooms(first.name).storage, at: 100, harms: 0 })
    const { node } = first
    first.node = null
    expect(judged(scene, { shows: [a], startedAt: 100 })).toEqual([])
    expect(judged(scene, { shows: [a], startedAt: 101 })).toEqual([G7('shows')])
    first.node = node
  })

  test.for([
    ['strict on quorums that do not overlap', { r: 1, w: 1 }, { required: 1, replied: 1 }],
    ['strict with a fallback among its replies', {}, { hinted: 1 }],
  ] as const)('G7: %s', async ([, bucket, receipt]) => {
    const { scene, a } = await heldBy(3, { bucket })
    expect(judged(scene, { shows: [a], receipt })).toEqual([G7('cannot be strict')])
  })

  test('a high R relies on fewer homes', async () => {
    const { scene, a } = await heldBy(2, { bucket: { w: 2 } })
    expect(judged(scene, { shows: [a], options: { r: 'all' }, receipt: { required: 3, replied: 3 } })).toEqual([])
    const lonely = await heldBy(1, { bucket: { w: 1 } })
    const all = { options: { r: 3 }, receipt: { required: 3, replied: 3 } } as const
    expect(judged(lonely.scene, { shows: [lonely.a], ...all })).toEqual([])
  })

  test('G7: another N or R than was in force', async () => {
    const { scene, a } = await heldBy(3)
    expect(judged(scene, { shows: [a], receipt: { n: 5 } })).toContainEqual(G7('had n=3 and R=2'))
    expect(judged(scene, { shows: [a], receipt: { required: 1 } })).toContainEqual(G7('had n=3 and R=2'))
    expect(judged(scene, { shows: [a], options: { r: 3 } })).toContainEqual(G7('had n=3 and R=3'))
  })

  test('G7: fewer than R', async () => {
    const { scene, a } = await heldBy(3)
    expect(judged(scene, { shows: [a], receipt: { replied: 1 } })).toEqual([G7('counts fewer than R')])
  })

  test('G7: a fallback counts for a "not found"', async () => {
    const { scene } = await heldBy(0)
    const sloppy = { guarantee: 'sloppy', receipt: { hinted: 1 } } as const
    expect(judged(scene, sloppy)).toEqual([G7('counts fallbacks')])
    expect(judged(scene, { ...sloppy, shows: [scene.write('b')] })).toEqual([])
  })

  test('G7: more fallbacks than answered, or more homes', async () => {
    const { scene, a, homes } = await heldBy(3)
    const [first, second, third] = homes as [Host, Host, Host]
    const [fallback] = fallbacksOf(scene) as [Host]
    const sloppy = { guarantee: 'sloppy', receipt: { hinted: 1 }, shows: [a] } as const
    const stoodIn = entry(fallback, 'answered', 'fallback')
    expect(judged(scene, { ...sloppy, explain: [entry(first, 'answered'), stoodIn] })).toEqual([])
    expect(judged(scene, { ...sloppy, explain: [entry(first, 'answered'), entry(second, 'same')] })).toEqual([
      G7('counts 1 fallbacks, 0 answered'),
    ])
    const two = { shows: [a], explain: [entry(first, 'empty'), entry(second, 'same')] }
    expect(judged(scene, two)).toEqual([])
    for (const answer of ['filling', 'failed', 'late', 'unreachable', 'refused:not-a-home'])
      expect(judged(scene, { ...two, explain: [entry(first, 'same'), entry(third, answer)] })).toEqual([
        G7('counts more homes than answered'),
      ])
    // The same home twice is one home.
    expect(judged(scene, { ...two, explain: [entry(first, 'same'), entry(first, 'same')] })).toEqual([
      G7('counts more homes than answered'),
    ])
  })

  test('G7: homes that were filling, or away, from beginning to end', async () => {
    const { scene, a, homes } = await heldBy(3)
    const [first, second] = homes as [Host, Host]
    for (const { name } of [first, second]) scene.rooms(name).filling = { isActive: true, isFilling: () => true }
    const both = new Set([first.name, second.name])
    expect(judged(scene, { shows: [a], fillingAtStart: both })).toEqual([G7('counts more homes than were complete')])
    // Filling only when the answer came, or when it was asked: it may have counted.
    expect(judged(scene, { shows: [a], fillingAtStart: new Set([first.name]) })).toEqual([])
    scene.rooms(second.name).filling = { isActive: false, isFilling: () => false }
    expect(judged(scene, { shows: [a], fillingAtStart: both })).toEqual([])
    first.node = null
    second.node = null
    expect(judged(scene, { shows: [a], guarantee: 'eventual' })).toEqual([G7('counts more homes than were complete')])
  })

  test.for([
    ['a disk is from the past', (scene: Scene): void => void (scene.world.disksTrusted = false)],
    ['a copy is known to be lost', (scene: Scene): void => void (scene.key.suspended = true)],
  ] as const)('while %s no storage is asked', async ([, bend]) => {
    const { scene, a } = await heldBy(1)
    bend(scene)
    expect(judged(scene, { shows: [a] })).toEqual([])
  })
})

describe('a write', () => {
  function judged(scene: Scene, of: Told, told: WriteAnswerTold = {}): string[] {
    const before = scene.found.length
    checkWriteReceipt(scene.world, writeOf(scene, of, told))
    return scene.found.slice(before).map(({ guarantee, what }) => `${guarantee} ${what.split(' through ')[1]}`)
  }
  const G7 = (what: string): string => expect.stringMatching(new RegExp(`^G7 node-0 ${what}`)) as string

  test('strict, held by enough homes', async () => {
    const { scene, a } = await heldBy(2)
    expect(judged(scene, a)).toEqual([])
  })

  test('G7: strict, held by too few', async () => {
    const { scene, a } = await heldBy(1)
    expect(judged(scene, a)).toEqual([G7('is known only to node-')])
    expect(judged(scene, scene.write('b'))).toEqual([G7('is known only to nobody')])
    for (const guarantee of ['eventual', 'sloppy'] as const) expect(judged(scene, a, { guarantee })).toEqual([])
  })

  test('G7: a hint at a fallback is no home', async () => {
    const { scene, a, homes } = await heldBy(1)
    const [fallback] = fallbacksOf(scene) as [Host]
    const view = { versions: [a.version], seen: a.seen, deadTags: [] }
    scene.rooms(fallback.name).storage.hints.add(homes[1]?.name ?? '', scene.key, 'siblings', view)
    expect(judged(scene, a)).toEqual([G7('is known only to')])
    const receipt = { hinted: 1 }
    const explain = [entry(homes[0] as Host, 'stored'), entry(fallback, 'hinted', 'fallback')]
    expect(judged(scene, a, { guarantee: 'sloppy', receipt, explain })).toEqual([])
  })

  test('G7: strict on quorums that do not overlap', async () => {
    const { scene, a } = await heldBy(3, { bucket: { r: 1, w: 1 } })
    expect(judged(scene, a, { receipt: { required: 1 } })).toEqual([G7('cannot be strict')])
  })

  test('G7: its own high W makes up for a low R, its own low W for nothing', async () => {
    const { scene, a } = await heldBy(3, { bucket: { r: 1, w: 2 } })
    expect(judged(scene, a, { options: { w: 3 }, receipt: { required: 3, replied: 3 } })).toEqual([])
    expect(judged(scene, a, { options: { w: 1 }, receipt: { required: 1, replied: 1 } })).toEqual([
      G7('cannot be strict'),
    ])
  })

  test('G7: another N or W than was in force, and fewer replies than that', async () => {
    const { scene, a } = await heldBy(3)
    expect(judged(scene, a, { receipt: { n: 5 } })).toContainEqual(G7('had n=3 and W=2'))
    expect(judged(scene, a, { options: { w: 'all' } })).toContainEqual(G7('had n=3 and W=3'))
    expect(judged(scene, a, { receipt: { replied: 1 } })).toEqual([G7('counts fewer than W')])
  })

  test('G7: more replies than came', async () => {
    const { scene, a, homes } = await heldBy(3)
    const [first, second] = homes as [Host, Host, Host]
    expect(judged(scene, a, { explain: [entry(first, 'stored'), entry(second, 'already')] })).toEqual([])
    for (const answer of ['failed', 'hinted', 'refused:storage-full', 'unreachable'])
      expect(judged(scene, a, { explain: [entry(first, 'stored'), entry(second, answer)] })).toEqual([
        G7('counts 2 replies, 1 came'),
      ])
    expect(judged(scene, a, { explain: [entry(first, 'stored'), entry(first, 'stored')] })).toEqual([
      G7('counts 2 replies, 1 came'),
    ])
  })

  test('G7: more hints than are held', async () => {
    const { scene, a, homes } = await heldBy(3)
    const explain = homes.map((home) => entry(home, 'stored'))
    expect(judged(scene, a, { guarantee: 'sloppy', receipt: { hinted: 1 }, explain })).toEqual([
      G7('counts 1 hints, 0 are held'),
    ])
  })

  test('G7: hints make up the count of a write that is not sloppy', async () => {
    const { scene, a, homes } = await heldBy(1)
    const [fallback] = fallbacksOf(scene) as [Host]
    const explain = [entry(homes[0] as Host, 'stored'), entry(fallback, 'hinted', 'fallback')]
    const told = { guarantee: 'sloppy', receipt: { hinted: 1 }, explain } as const
    expect(judged(scene, a, { ...told, options: { sloppy: false } })).toEqual([G7('counts hints for a write')])
    expect(judged(scene, a, { ...told, options: { sloppy: true } })).toEqual([])
  })

  test('G7: more durable replies than replies', async () => {
    const { scene, a } = await heldBy(2)
    expect(judged(scene, a, { receipt: { durable: 2 } })).toEqual([])
    expect(judged(scene, a, { receipt: { durable: 3 } })).toEqual([G7('has more durable replies')])
  })

  test('a DELETE that found nothing has nothing to show', async () => {
    const { scene, a } = await heldBy(0)
    const observed = writeOf(scene, a, { deleted: true, receipt: { n: 9 } })
    checkWriteReceipt(scene.world, { ...observed, outcome: { ...observed.outcome, type: 'deleted', version: null } })
    expect(scene.found).toEqual([])
  })

  test.for([
    ['a disk is from the past', (scene: Scene): void => void (scene.world.disksTrusted = false)],
    ['a copy is known to be lost', (scene: Scene): void => void (scene.key.suspended = true)],
  ] as const)('while %s no storage is asked', async ([, bend]) => {
    const { scene, a } = await heldBy(0)
    bend(scene)
    expect(judged(scene, a)).toEqual([])
  })
})

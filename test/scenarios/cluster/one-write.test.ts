// One Idempotency-Key is one write: at once through many nodes, across a partition, with a coordinator that dies, and again much later.

import { describe, expect, test } from 'vitest'
import { IDEMPOTENCY_WINDOW_MS } from '../../../src/core/causality/attempts.ts'
import { compareDots } from '../../../src/core/causality/dot.ts'
import { EMPTY_CONTEXT } from '../../../src/core/causality/context-token.ts'
import { invariant } from '../../../src/errors.ts'
import { NO_NETWORK_FAULTS } from '../../../src/simulator/network.ts'
import type { Host } from '../../../src/simulator/simulated-cluster.ts'
import { KEY, nodeOf, Story } from './story.ts'

describe('one write', () => {
  test('through five nodes across a partition with the first coordinator killed, and again after an overwrite', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    const { hosts } = story.cluster
    const idempotencyKey = 'order 17'
    await story.cutOff(r0, story.last)
    const pending = hosts.map((host) => story.beginPut(host, 'paid', { idempotencyKey, timeoutMs: 1000 }))
    await story.cluster.time.runFor(0.3)
    await story.kill(r0)
    for (const [i, host] of hosts.entries())
      if (host !== r0) await story.cluster.time.settle(pending[i] ?? Promise.reject(new Error('no put')))
    await story.restart(r0)
    await story.untilNoHints()
    for (const host of hosts) expect(await story.shows(host, { r: 3 })).toEqual(['paid'])
    const { context } = await story.get(r1).then((outcome) => {
      if (outcome.type !== 'found') throw new Error(outcome.type)
      return outcome
    })
    await story.write(r2, 'shipped', { context })
    for (const host of hosts) await story.put(host, 'paid', { idempotencyKey })
    await story.cluster.time.runFor(10_000)
    for (const host of hosts) expect(await story.shows(host, { r: 3 })).toEqual(['shipped'])
  })

  // Found by the torture story of pauses: others have hung up on a node that awakes, and its first write ran into that.
  test('links that break under a write and come back do not fail it', async () => {
    for (const sloppy of [true, false]) {
      const story = await Story.begin({ nodes: 5 })
      const { r0, cluster } = story
      const pending = story.beginPut(r0, 'v', { w: 3, sloppy })
      for (const { name } of cluster.hosts) cluster.network.resetBetween(r0.name, name)
      const outcome = await cluster.time.settle(pending)
      expect(outcome.type).toBe('stored')
      await cluster.time.runFor(5000)
      expect(await story.shows(story.f, { r: 3 })).toEqual(['v'])
    }
  })

  // Found by a review: those who had merged it heard of it again, and had nothing left to say of what it replaced.
  test.each([true, false])(
    'an overwrite whose acknowledgements were lost is no creation (replaces: %s)',
    async (replaces) => {
      const story = await Story.begin()
      const { r0, r1, r2, f, cluster } = story
      const context = replaces ? await story.write(r0, 'old', { w: 3 }) : EMPTY_CONTEXT
      const pending = story.beginPut(f, 'new', { context, sloppy: false })
      for (const home of [r0, r1, r2]) cluster.network.cut(home.name, f.name)
      await cluster.time.runFor(20)
      for (const home of [r0, r1, r2]) {
        expect(story.records(home)).toBe(1)
        cluster.network.resetBetween(home.name, f.name)
        cluster.network.resetBetween(f.name, home.name)
      }
      cluster.network.healAll()
      expect(await cluster.time.settle(pending)).toMatchObject({ type: 'stored', created: !replaces })
    },
  )

  // Found by seed 10407: the request came a second time when there was room again.
  test('what was refused stays so, though the network repeats it', async () => {
    const story = await Story.begin({ nodes: 3, limits: { siblingsMax: 2 } })
    const { r0, r1, cluster } = story
    await story.write(r0, 'a', { w: 3 })
    await story.write(r0, 'b', { w: 3 })
    const both = await story.get(r0)
    invariant(both.type === 'found', 'two siblings')
    cluster.network.faults = { ...NO_NETWORK_FAULTS, duplicateFrame: 1, delayMsMax: 1000 }
    expect((await story.put(r1, 'refused')).type).toBe('too-many-siblings')
    cluster.network.faults = NO_NETWORK_FAULTS
    await story.write(r0, 'merged', { context: both.context, w: 3 })
    await cluster.time.runFor(5000)
    expect(await story.shows(r0, { r: 3 })).toEqual(['merged'])
  })

  // Found by seed 86: the retry's coordinator knew that the write was superseded, and let the third home take it for news.
  test('a retry tells a home that has not heard of it that the write was superseded', async () => {
    const healing = { antiEntropy: false, readRepair: false, handoff: false, readAllRate: 0 }
    const story = await Story.begin({ healing })
    const { r0, r1, r2 } = story
    const options = { idempotencyKey: 'order 18', sloppy: false }
    await story.cutOff(r2)
    const seen = await story.write(r0, 'paid', options)
    await story.write(r0, 'shipped', { context: seen, sloppy: false })
    await story.reunite()
    await story.write(r1, 'paid', { ...options, w: 3 })
    expect(await story.shows(r2, { r: 1, sloppy: false })).toEqual(['shipped'])
    expect(await story.shows(r1, { r: 3 })).toEqual(['shipped'])
  })

  // Found by an audit from outside: the retry was stored, as news, once the first attempt was collected.
  test('a retry after the value has expired and was collected writes nothing, and has the outcome of the first', async () => {
    const story = await Story.begin()
    const { r0, r1, f } = story
    const options = { idempotencyKey: 'order 19', ttlMs: 3000 }
    const first = await story.put(r0, 'paid', options)
    const version = first.type === 'stored' && first.version
    await story.cluster.time.runFor(60_000)
    expect(await story.shows(f, { r: 3 })).toBeNull()
    for (const host of [r1, f]) {
      const again = await story.put(host, 'paid', options)
      expect(again).toMatchObject({ type: 'stored', created: true, version, siblings: 0, etag: null })
      expect(await story.shows(host, { r: 3 })).toBeNull()
    }
    expect((await story.put(f, 'another', options)).type).toBe('idempotency-mismatch')
  })

  test('a retry after an overwrite or a deletion has the outcome of the first, and another body is a mismatch', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    const options = { idempotencyKey: 'order 20' }
    const first = await story.put(r0, 'paid', options)
    const version = first.type === 'stored' && first.version
    const context = first.type === 'stored' ? first.context : EMPTY_CONTEXT
    await story.write(r1, 'shipped', { context })
    const again = await story.put(r2, 'paid', options)
    expect(again).toMatchObject({ type: 'stored', created: true, version, siblings: 1, etag: null })
    // Of what superseded it the client was shown nothing.
    expect(again.type === 'stored' && again.context.seen.dots()).toEqual([version])
    expect((await story.put(r2, 'paid twice', options)).type).toBe('idempotency-mismatch')
    await story.cluster.time.settle(r1.node!.coordinator.delete({ bucket: 'kitchen', key: KEY, timeoutMs: 4000 }))
    expect(await story.put(r0, 'paid', options)).toMatchObject({ type: 'stored', version, siblings: 0, etag: null })
    expect(await story.shows(r2, { r: 3 })).toBeNull()
  })

  // Found by a review: where a home's copy of an old tag had not been forgotten yet, it dropped the new write.
  test('a day later the key names another write, also where the first was superseded or is still there', async () => {
    const story = await Story.begin()
    const { cluster, r0, r1, r2, f } = story
    const options = { idempotencyKey: 'order 21' }
    const context = await story.write(r0, 'monday', options)
    await story.write(r1, 'shipped', { context })
    const still = { idempotencyKey: 'order 22' }
    await story.write(r0, 'monday', still, 'kettle 2')
    // Away, so that nobody can forget what its copy says.
    await story.cutOff(r2)
    for (const { process } of cluster.hosts) process?.clock.jump(IDEMPOTENCY_WINDOW_MS + 1000)
    const found = await story.get(f)
    const seen = found.type === 'found' ? found.context : EMPTY_CONTEXT
    const outcome = await story.put(f, 'tuesday', { ...options, context: seen })
    expect(outcome).toMatchObject({ type: 'stored', siblings: 1 })
    expect((await story.put(r1, 'another', options)).type).toBe('idempotency-mismatch')
    expect(await story.put(r1, 'tuesday', still, 'kettle 2')).toMatchObject({ type: 'stored', siblings: 2 })
    await story.reunite()
    await story.untilNoHints()
    expect(await story.shows(r2, { r: 3 })).toEqual(['tuesday'])
    expect(await story.shows(r2, { r: 3 }, 'kettle 2')).toEqual(['monday', 'tuesday'])
  })

  test('a retry of a write that replaced something says so, whatever is there by now', async () => {
    const story = await Story.begin()
    const { r0, r1, f } = story
    const context = await story.write(r0, 'ordered')
    const options = { idempotencyKey: 'order 23', context }
    const first = await story.put(r1, 'paid', options)
    expect(first).toMatchObject({ type: 'stored', created: false })
    expect(await story.put(f, 'paid', options)).toMatchObject({ created: false, siblings: 1 })
    await story.delete(r0)
    const version = first.type === 'stored' && first.version
    expect(await story.put(f, 'paid', options)).toMatchObject({ created: false, siblings: 0, version })
  })

  // Found by seed 31782: an answer spoke of its own write alone.
  test.each(['the answer to a put', 'the answer to a deletion', 'a read'])(
    'who goes on from %s elsewhere meets no other attempt of what was there before',
    async (from) => {
      const story = await Story.begin({ nodes: 3 })
      const { r0, r1, r2 } = story
      const options = { idempotencyKey: 'order 35', sloppy: false }
      await story.cutOff(r2)
      await story.write(r2, 'paid', { ...options, w: 1 })
      const paid = await story.write(r0, 'paid', { ...options, w: 2 })
      let context = await story.write(r0, 'shipped', { context: paid, w: 2, sloppy: false })
      if (from === 'the answer to a deletion') {
        const deleted = await story.delete(r1)
        invariant(deleted.type === 'deleted' && deleted.context !== null, 'it is deleted')
        context = deleted.context
      } else if (from === 'a read') {
        const found = await story.get(r1, { r: 2 })
        invariant(found.type === 'found', 'it is there')
        context = found.context
      }
      await story.write(r2, 'delivered', { context, w: 1, sloppy: false })
      expect(await story.shows(r2, { r: 1, sloppy: false })).toEqual(['delivered'])
      await story.reunite()
      await story.untilNoHints()
      for (const host of [r0, r1, r2]) expect(await story.shows(host, { r: 3 })).toEqual(['delivered'])
    },
  )

  // Found by seed 34079: the retry has a later deadline than the attempt that was called expired.
  test('an expired write stays so when a retry comes home that a partition kept away', async () => {
    const story = await Story.begin()
    const { r0, r1, r2, f } = story
    const options = { idempotencyKey: 'order 36', ttlMs: 20_000 }
    await story.cutOff(r2, f)
    await story.write(r0, 'paid', { ...options, w: 2 })
    await story.cluster.time.runFor(15_000)
    await story.write(f, 'paid', { ...options, w: 2 })
    await story.cluster.time.runFor(6_000)
    expect(await story.shows(r0, { r: 2 })).toBeNull()
    expect(await story.shows(f, { r: 1 })).toEqual(['paid'])
    await story.reunite()
    await story.untilNoHints()
    for (const host of [r0, r1, r2, f]) expect(await story.shows(host, { r: 3 })).toBeNull()
    expect(await story.shows(r2, { r: 1 })).toBeNull()
    // Nor does what is collected make room for it.
    await story.cluster.time.runFor(60_000)
    expect(await story.shows(r2, { r: 3 })).toBeNull()
    expect(await story.put(f, 'paid', options)).toMatchObject({ type: 'stored', siblings: 0 })
  })

  // Found by an audit from outside.
  test('in an lww bucket too a retry writes nothing', async () => {
    const story = await Story.begin({ bucket: { conflict: 'lww' } })
    const { r0, r1, f, last } = story
    const options = { idempotencyKey: 'order 24' }
    const first = await story.put(r0, 'paid', options)
    const version = first.type === 'stored' && first.version
    await story.write(r1, 'shipped', { context: 'latest' })
    expect(await story.put(f, 'paid', options)).toMatchObject({ type: 'stored', created: true, version, siblings: 1 })
    expect(await story.shows(r0, { r: 3 })).toEqual(['shipped'])
    await story.delete(r1)
    expect(await story.put(last, 'paid', options)).toMatchObject({ type: 'stored', version, siblings: 0 })
    expect(await story.shows(r0, { r: 3 })).toBeNull()
    const guarded = { idempotencyKey: 'order 25', precondition: { type: 'none' } } as const
    await story.write(r0, 'new', guarded)
    await story.delete(r1)
    expect((await story.put(r1, 'new', guarded)).type).toBe('stored')
    expect(await story.shows(r0, { r: 3 })).toBeNull()
  })
})

// Found by a review: the retry replaced what its client had seen since, and then died of its own first attempt; both were gone.
describe('a retry under a later context, where the first attempt is not known', () => {
  const options = { idempotencyKey: 'order 26' }

  test('waits for those who know what became of it, and never empties the key', async () => {
    const story = await Story.begin()
    const { r0, r1, r2, cluster } = story
    await story.cutOff(r0, r2)
    const paid = await story.write(r0, 'paid', options)
    const context = await story.write(r0, 'shipped', { context: paid })
    const early = await story.put(r1, 'paid', { ...options, context })
    expect(early).toMatchObject({ type: 'quorum-not-met', outcome: 'not-applied' })
    await story.reunite()
    await story.untilNoHints()
    await cluster.time.runFor(3000)
    expect((await story.put(r1, 'paid', { ...options, context })).type).toBe('stored')
    expect(await story.shows(r0, { r: 3 })).toEqual(['shipped'])
  })

  test('nor under latest, of what was written meanwhile', async () => {
    const story = await Story.begin()
    const { r0, r1, r2, cluster } = story
    await story.cutOff(r1)
    const paid = await story.write(r0, 'paid', { ...options, sloppy: false })
    const context = await story.write(r0, 'shipped', { context: paid, sloppy: false })
    await story.kill(r0)
    await story.reunite()
    await story.write(r2, 'delivered', { context })
    await story.cutOff(r2)
    await story.put(r1, 'paid', { ...options, context: 'latest' })
    await story.reunite()
    await story.restart(r0)
    await story.untilNoHints()
    await cluster.time.runFor(3000)
    expect(await story.shows(r2, { r: 3 })).not.toBeNull()
  })

  // Found by seed 51317: stand-ins had heard of later writes only; the retry replaced those, and was back beside what had replaced it.
  test('nor on the word of stand-ins that know of later writes alone', async () => {
    const story = await Story.begin()
    const { r0, r1, f, last } = story
    await story.write(r0, 'paid', { ...options, context: 'latest' })
    await story.write(r1, 'shipped', { context: 'latest' })
    await story.cutOff(f, last)
    await story.write(f, 'beside')
    const retry = await story.put(f, 'paid', { ...options, context: 'latest' })
    expect(retry).toMatchObject({ type: 'quorum-not-met', operation: 'read', outcome: 'not-applied' })
    await story.reunite()
    await story.untilNoHints()
    for (const host of [r0, r1, f]) expect(await story.shows(host, { r: 3 })).toEqual(['beside', 'shipped'])
  })

  test('asks those who know what its client has seen', async () => {
    const story = await Story.begin({ healing: { antiEntropy: false, handoff: false } })
    const { r0, r1 } = story
    await story.cutOff(r1)
    const paid = await story.write(r0, 'paid', options)
    const context = await story.write(r0, 'shipped', { context: paid })
    await story.reunite()
    expect((await story.put(r1, 'paid', { ...options, context, r: 1 })).type).toBe('stored')
    expect(await story.shows(r0, { r: 3 })).toEqual(['shipped'])
  })
})

// Found by a review: of two acknowledged writes one was never shown, and the next write dropped it unseen.
test('two bodies under one key on two sides of a partition are two writes', async () => {
  const story = await Story.begin()
  const { cluster, r0, r1, r2, f } = story
  const options = { idempotencyKey: 'order 27' }
  await story.cutOff(r2, f)
  await story.write(r0, 'one', options)
  await story.write(f, 'two', options)
  await story.reunite()
  await story.untilNoHints()
  await cluster.time.runFor(3000)
  expect(await story.shows(r1, { r: 3 })).toEqual(['one', 'two'])
  expect((await story.put(r1, 'three', options)).type).toBe('idempotency-mismatch')
})

// Found by a review.
test('what is left of the day before does no harm to the next write under its key', async () => {
  const story = await Story.begin()
  const { cluster, r0, r1, r2, f, last } = story
  const options = { idempotencyKey: 'order 28' }
  const jump = (hours: number): void => {
    for (const { process } of cluster.hosts) process?.clock.jump(hours * 3600 * 1000)
  }
  await story.kill(r2)
  const context = await story.write(r0, 'monday', { ...options, sloppy: false })
  await story.write(r1, 'shipped', { context, sloppy: false })
  jump(20)
  await story.cutOff(f, last)
  await story.put(f, 'monday', options)
  jump(5)
  await story.write(r0, 'tuesday', { ...options, context: 'latest' })
  await story.reunite()
  await cluster.time.runFor(10_000)
  expect(await story.shows(r0, { r: 2 })).toEqual(['tuesday'])
})

// Found by a review: each of these three.
test('a third attempt does not die of the second, which died of the first', async () => {
  const story = await Story.begin()
  const { r0, r1, r2, last, cluster } = story
  const options = { idempotencyKey: 'order 29' }
  await story.cutOff(r0, r2)
  await story.cutOff(last)
  const paid = await story.write(r0, 'paid', options)
  const context = await story.write(r0, 'shipped', { context: paid })
  await story.put(last, 'paid', { ...options, timeoutMs: 1000, w: 1 })
  await story.put(r1, 'paid', { ...options, context })
  await story.reunite()
  await story.untilNoHints()
  await cluster.time.runFor(3000)
  expect(await story.shows(r0, { r: 3 })).not.toBeNull()
})

test('a retry that has found its write never says that it was not applied', async () => {
  const story = await Story.begin()
  const { r0, r1, r2 } = story
  const options = { idempotencyKey: 'order 30', w: 3 }
  await story.write(r0, 'paid', options)
  await story.kill(r2)
  const again = await story.put(r1, 'paid', { ...options, sloppy: false, timeoutMs: 1000 })
  expect(again).toMatchObject({ type: 'quorum-not-met', outcome: 'unknown' })
})

test('first and retry have one status, also where a home that was not read held something', async () => {
  const healing = { antiEntropy: false, handoff: false, readRepair: false, readAllRate: 0 }
  const story = await Story.begin({ healing })
  const { r0, r1, r2 } = story
  const options = { idempotencyKey: 'order 31', w: 3, sloppy: false }
  await story.cutOff(r2)
  await story.write(r2, 'old', { w: 1, sloppy: false })
  await story.reunite()
  const first = await story.put(r0, 'paid', options)
  const again = await story.put(r1, 'paid', options)
  expect(first.type === 'stored' && first.created).toBe(again.type === 'stored' && again.created)
})

describe('what is asked before an idempotent write leaves it time', () => {
  const slow = async (story: Story, from: Host, to: Host): Promise<void> => {
    for (let delayMs = 300; delayMs <= 6000; delayMs += 300) {
      story.cluster.network.setDelay(from.name, to.name, delayMs)
      await story.cluster.time.runFor(500)
    }
  }

  test('where a home is dead and another hangs', async () => {
    const story = await Story.begin()
    const { r0, r1, r2 } = story
    await story.kill(r2)
    await slow(story, r1, r0)
    expect((await story.put(r0, 'paid', { idempotencyKey: 'order 32' })).type).toBe('stored')
  })

  test('where only a slow home knows the context', async () => {
    const healing = { antiEntropy: false, handoff: false, readAllRate: 0, readRepair: false }
    const story = await Story.begin({ healing })
    const { r0, r1 } = story
    await story.cutOff(r0)
    const context = await story.write(r0, 'v', { w: 1, sloppy: false })
    await story.reunite()
    await slow(story, r0, r1)
    const outcome = await story.put(r1, 'paid', { context, idempotencyKey: 'order 33', sloppy: false })
    expect(outcome.type).toBe('stored')
  })
})

test('a precondition holds on the word of homes, not of a stand-in that knows nothing', async () => {
  const story = await Story.begin()
  const { r0, r1, f } = story
  const context = await story.write(r0, 'v1', { w: 3 })
  const found = await story.get(f, { r: 3 })
  const etag = found.type === 'found' ? found.etag : ''
  await story.cutOff(r0, f)
  await story.write(r1, 'v2', { context })
  const outcome = await story.put(f, 'v3', { precondition: { type: 'match', etags: [etag] } })
  expect(outcome.type).toBe('quorum-not-met')
})

test('a new key is created (201), also where a read has brought it to a home before its write came', async () => {
  const healing = { antiEntropy: false, handoff: false, readAllRate: 0 }
  const story = await Story.begin({ healing })
  const { r0, r1, r2, cluster } = story
  cluster.network.setDelay(r0.name, r2.name, 200)
  const pending = story.beginPut(r0, 'new', { w: 3, sloppy: false })
  await cluster.time.runFor(50)
  expect(await story.shows(r1, { r: 3 })).toEqual(['new'])
  const outcome = await cluster.time.settle(pending)
  expect(outcome).toMatchObject({ type: 'stored', created: true })
})

test.each(['least', 'greatest'])(
  'a deletion under the context of an acknowledged attempt deletes it, also where it has a twin (%s)',
  async (which) => {
    const story = await Story.begin()
    const { r0, r1, r2, f, last } = story
    await story.cutOff(r0, last)
    const options = { idempotencyKey: 'order 1' }
    const one = await story.put(r0, 'paid', options)
    const two = await story.put(r1, 'paid', options)
    await story.reunite()
    await story.untilNoHints()
    await story.cluster.time.runFor(5000)
    if (one.type !== 'stored' || two.type !== 'stored') throw new Error('stored')
    expect(one.version).not.toEqual(two.version)
    const [a, b] = [one, two].sort((x, y) => compareDots(x.version, y.version))
    const { context } = which === 'least' ? a! : b!
    const outcome = await story.cluster.time.settle(
      nodeOf(f).coordinator.delete({ bucket: 'kitchen', key: KEY, timeoutMs: 4000, context }),
    )
    expect(outcome).toMatchObject({ type: 'deleted', receipt: { superseded: 1 } })
    await story.cluster.time.runFor(5000)
    expect(await story.shows(r2, { r: 3 })).toBeNull()
  },
)

import { describe, expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import type { Reply, Request } from '../../src/protocol/messages.ts'
import { type Line, remember } from '../lines.ts'
import { stored, World, write } from './two-nodes.ts'

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    if (error instanceof QuorateError) return error.code
    throw error
  }
}

describe('a pair of nodes', () => {
  test('answers requests, with the storage behind the name', async () => {
    const world = new World()
    const heard: unknown[] = []
    const [a] = await world.pair(
      {},
      {
        handler: (from, request) => {
          heard.push(from, request)
          return stored(7)
        },
      },
    )
    const answer = await world.time.settle(a.links.request('b', write(), { budgetMs: 1000 }))
    expect(answer.storage).toBe('storage-of-b')
    expect(answer.reply).toEqual(stored(7))
    expect(heard).toMatchObject([
      { name: 'a', storage: 'storage-of-a' },
      { ...write(), view: Buffer.from([1, 2, 3]) },
    ])
  })

  test('calls back at once: with the answer while it is read, with the reason when nothing can be sent', async () => {
    const world = new World()
    const [a, b] = await world.pair({}, { handler: () => stored(7) })
    const heard: string[] = []
    const ask = (member: string): void =>
      a.links.ask(member, write(), { budgetMs: 1000 }, (answer) =>
        heard.push(answer instanceof QuorateError ? answer.code : `${answer.reply.type} of ${answer.storage}`),
      )
    ask('nobody')
    expect(heard).toEqual(['unreachable'])
    ask('b')
    expect(heard.length).toBe(1)
    await world.time.runUntilCondition(() => heard.length === 2, 100)
    expect(heard[1]).toBe('write of storage-of-b')
    expect(a.links.counters.sent.get('request.write')?.frames).toBe(1)
    expect(a.links.counters.received.get('reply.write')).toEqual(b.links.counters.sent.get('reply.write'))
    await world.time.settle(a.links.close())
    ask('b')
    expect(heard[2]).toBe('closed')
  })

  test('what the other end could not read is not said: that one request fails, the link and all others stay', async () => {
    const world = new World()
    const heard: Request[] = []
    const [a, b] = await world.pair(
      {},
      {
        handler: (_, request) => {
          heard.push(request)
          return request.type === 'handoff' ? { type: 'handoff', bytesGranted: -1 } : stored(7)
        },
      },
    )
    const list = { type: 'list', bucket: 'b', partition: 19, prefix: '€'.repeat(342), after: null, limit: 9 } as const
    const waiting = a.links.request('b', write(), { budgetMs: 1000 })
    const codes = [list, { ...list, prefix: '', bucket: '' }, write({ key: '' }), write({ key: '\ud800' })].map(
      (request) => codeOf(a.links.request('b', request, { budgetMs: 1000 })),
    )
    expect(await Promise.all(codes)).toEqual(codes.map(() => 'protocol'))
    expect((await world.time.settle(waiting)).reply).toEqual(stored(7))
    // Nor a reply that cannot be read: the deadline answers.
    const late = codeOf(a.links.request('b', { type: 'handoff', pendingBytes: 1 }, { budgetMs: 100 }))
    expect(await world.time.settle(late)).toBe('timeout')
    expect(heard.map(({ type }) => type)).toEqual(['write', 'handoff'])
    expect(b.links.counters.handlerErrors).toBe(1)
    expect([a.goodbyes, b.goodbyes, a.changes, b.changes]).toEqual([[], [], ['b up'], ['a up']])
    expect((await world.time.settle(a.links.request('b', write(), { budgetMs: 1000 }))).reply).toEqual(stored(7))
  })

  test('a request that is asked from an answer goes out, and time heard with it is observed before it is handled', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    const done = new Promise<void>((resolve, reject) =>
      a.links.ask('b', write(), { budgetMs: 1000 }, () =>
        a.links.ask('b', write(), { budgetMs: 1000 }, (answer) =>
          answer instanceof QuorateError ? reject(answer) : resolve(),
        ),
      ),
    )
    await world.time.settle(done)
    const ahead = Math.floor(b.process.clock.now()) + 100
    await world.time.settle(a.links.request('b', write(), { budgetMs: 1000, time: ahead }))
    expect(b.observed.at(-1)).toBe(ahead)
    expect(Math.max(...b.observed.slice(0, -1), 0)).toBeLessThan(ahead)
  })

  test('knows what software the other end runs, also when it is gone', async () => {
    const world = new World()
    const a = world.node('a', { members: ['b', 'c'], software: '1.2.3' })
    const b = world.node('b', { members: ['a'], software: '1.3.0-rc.1' })
    expect(a.links.softwareOf('b')).toBeNull()
    await world.time.settle(Promise.all([a.links.start(), b.links.start()]))
    await world.time.runUntilCondition(() => a.links.reachable('b') && b.links.reachable('a'), 5000)
    expect([a.links.softwareOf('b'), b.links.softwareOf('a')]).toEqual(['1.3.0-rc.1', '1.2.3'])
    await world.time.settle(b.links.close())
    await world.time.runUntilCondition(() => !a.links.reachable('b'), 5000)
    expect([a.links.softwareOf('b'), a.links.softwareOf('c')]).toEqual(['1.3.0-rc.1', null])
    // One that does not say.
    const [c] = await new World().pair()
    expect(c.links.softwareOf('b')).toBeNull()
  })

  test('keeps one link after a simultaneous open, begun by the smaller name', async () => {
    const world = new World()
    // Slow enough that both have begun before either is greeted.
    world.network.setDelay('a', 'b', 100)
    world.network.setDelay('b', 'a', 100)
    const [a, b] = await world.pair()
    await world.time.runFor(10_000)
    expect(a.links.counters.dials + b.links.counters.dials).toBe(2)
    expect(a.links.status()).toMatchObject([{ member: 'b', initiatedHere: true }])
    expect(b.links.status()).toMatchObject([{ member: 'a', initiatedHere: false }])
    expect(a.changes).toEqual(['b up'])
    expect(b.changes).toEqual(['a up'])
  })

  test('rejects with timeout when no answer comes, and ignores the late one', async () => {
    const world = new World()
    let answer = (_: Reply): void => {}
    const [a] = await world.pair(
      {},
      {
        handler: () =>
          new Promise((resolve) => {
            answer = resolve
          }),
      },
    )
    const before = world.time.now
    expect(await codeOf(world.time.settle(a.links.request('b', write(), { budgetMs: 100 })))).toBe('timeout')
    expect(world.time.now - before).toBeGreaterThanOrEqual(100)
    expect(world.time.now - before).toBeLessThan(110)
    answer(stored())
    await world.time.runFor(1000)
    expect(a.links.reachable('b')).toBe(true)
  })

  test('rejects with unreachable when there is no link', async () => {
    const world = new World()
    const [a] = await world.pair()
    expect(await codeOf(a.links.request('nobody', write(), { budgetMs: 100 }))).toBe('unreachable')
  })

  test('rejects with overloaded beyond the bounds of requests and of bytes', async () => {
    const world = new World()
    const limits = { settings: { inFlightMax: 2, pendingBytesMax: 10_000 } }
    const [a] = await world.pair(limits, { handler: () => new Promise(() => {}) })
    const ask = (bytes: number): Promise<string> =>
      codeOf(a.links.request('b', write({ view: new Uint8Array(bytes) }), { budgetMs: 100 }))
    const outcomes = [ask(6000), ask(6000), ask(10), ask(10)]
    await world.time.runFor(1000)
    expect(await Promise.all(outcomes)).toEqual(['timeout', 'overloaded', 'timeout', 'overloaded'])
  })

  test('a handler whose time is over gives its place up, without an answer and without an error', async () => {
    const world = new World()
    const lines: Line[] = []
    const late = (): Promise<never> => Promise.reject(new QuorateError('timeout', 'too late'))
    const [a, b] = await world.pair({}, { handler: late, logger: remember(lines) })
    const asked = codeOf(a.links.request('b', write(), { budgetMs: 100 }))
    expect(await world.time.settle(asked)).toBe('timeout')
    expect(b.links.status()[0]?.inbound).toBe(0)
    expect(b.links.counters.handlerErrors).toBe(0)
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('settles a request when its signal aborts', async () => {
    const world = new World()
    const [a] = await world.pair({}, { handler: () => new Promise(() => {}) })
    const controller = new AbortController()
    const outcome = codeOf(a.links.request('b', write(), { budgetMs: 60_000, signal: controller.signal }))
    await world.time.runFor(10)
    controller.abort()
    expect(await world.time.settle(outcome)).toBe('timeout')
    expect(a.links.status()[0]?.inFlight).toBe(0)
  })

  test('does not answer for a handler that failed, and lives', async () => {
    const world = new World()
    const [a, b] = await world.pair(
      {},
      {
        handler: () => {
          throw new Error('broken')
        },
      },
    )
    expect(await codeOf(world.time.settle(a.links.request('b', write(), { budgetMs: 100 })))).toBe('timeout')
    expect(b.links.counters.handlerErrors).toBe(1)
    expect(a.links.reachable('b')).toBe(true)
  })

  test('stops reading while too many requests are worked on, and loses none', async () => {
    const world = new World()
    const waiting: ((reply: Reply) => void)[] = []
    const [a, b] = await world.pair(
      {},
      {
        settings: { inboundMax: 8 },
        handler: () =>
          new Promise((resolve) => {
            waiting.push(resolve)
          }),
      },
    )
    const answers = Promise.all(Array.from({ length: 50 }, () => a.links.request('b', write(), { budgetMs: 60_000 })))
    await world.time.runFor(5000)
    expect(waiting.length).toBe(8)
    expect(b.links.status()[0]?.inbound).toBe(8)
    expect(b.links.reachable('a')).toBe(true)
    for (let released = 0; released < 50; released++) {
      expect(waiting.length - released).toBeLessThanOrEqual(8)
      waiting[released]?.(stored())
      await world.time.runFor(5)
    }
    expect((await world.time.settle(answers)).length).toBe(50)
  })

  test('sends what is said within one turn in one write', async () => {
    const world = new World()
    const [a] = await world.pair()
    await world.time.runFor(100)
    world.events.length = 0
    const answers = Promise.all(Array.from({ length: 20 }, () => a.links.request('b', write(), { budgetMs: 1000 })))
    await world.time.settle(answers)
    expect(world.events.filter((event) => event.includes('net data') && event.includes('a>b')).length).toBe(1)
  })

  test('measures round trip and clock offset, and carries digests', async () => {
    const world = new World()
    const [a] = await world.pair({}, { clock: { offsetMs: 300 } })
    await world.time.runFor(3000)
    const sample = a.samples.at(-1)
    expect(sample?.member).toBe('b')
    expect(sample?.rttMs).toBeGreaterThan(0.2)
    expect(Math.abs((sample?.offsetMs ?? 0) - 300)).toBeLessThan(2)
    expect(a.digests).toContain('b members-of-b settings-of-b')
  })
})

describe('a failing network', () => {
  test('a silent peer is unreachable after the failure time-out, and linked again after the partition', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    await world.time.runFor(3000)
    const cutAt = world.time.now
    world.network.cut('a', 'b')
    world.network.cut('b', 'a')
    await world.time.runUntilCondition(() => a.changes.includes('b down'), 10_000)
    expect(world.time.now - cutAt).toBeLessThan(2600)
    expect(world.time.now - cutAt).toBeGreaterThan(1400)
    await world.time.runFor(20_000)
    expect(a.links.reachable('b')).toBe(false)
    world.network.healAll()
    expect(await world.time.runUntilCondition(() => a.links.reachable('b') && b.links.reachable('a'), 5000)).toBe(true)
  })

  test('a one-way partition takes the link down on both sides', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    world.network.cut('a', 'b')
    expect(await world.time.runUntilCondition(() => !a.links.reachable('b') && !b.links.reachable('a'), 6000)).toBe(
      true,
    )
  })

  test('requests in flight on a broken link are closed, not unreachable', async () => {
    const world = new World()
    const [a] = await world.pair({}, { handler: () => new Promise(() => {}) })
    const outcome = codeOf(a.links.request('b', write(), { budgetMs: 10_000 }))
    await world.time.runFor(10)
    world.network.resetBetween('a', 'b')
    expect(await world.time.settle(outcome)).toBe('closed')
    expect(await world.time.runUntilCondition(() => a.links.reachable('b'), 3000)).toBe(true)
  })

  test('a restarted peer is linked again at once, although the old connection never broke', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    b.process.kill()
    world.network.crashHost('b', 'silent')
    const again = world.node('b', { members: ['a'] })
    await world.time.settle(again.links.start())
    const startedAt = world.time.now
    expect(await world.time.runUntilCondition(() => again.links.reachable('a'), 5000)).toBe(true)
    expect(world.time.now - startedAt).toBeLessThan(500)
    await world.time.runFor(20)
    const answer = await world.time.settle(a.links.request('b', write(), { budgetMs: 1000 }))
    expect(answer.reply.type).toBe('write')
    await world.time.runFor(10_000)
    expect(a.links.status().length).toBe(1)
    expect(a.links.reachable('b')).toBe(true)
  })

  test('every request settles under drops, duplicates, reordering and resets', async () => {
    const world = new World('storm')
    const [a] = await world.pair()
    world.network.faults = {
      dropFrame: 0.05,
      duplicateFrame: 0.1,
      reorderFrame: 0.2,
      reset: 0.002,
      refuse: 0.1,
      delayMsMax: 50,
    }
    const outcomes: Promise<string>[] = []
    for (let i = 0; i < 500; i++) {
      outcomes.push(codeOf(a.links.request('b', write({ key: `key-${i}` }), { budgetMs: 500 })))
      await world.time.runFor(5)
    }
    const settled = await world.time.settle(Promise.all(outcomes), 5000)
    const counts = Object.groupBy(settled, (code) => code)
    expect(counts.resolved?.length ?? 0).toBeGreaterThan(300)
    expect(counts.timeout?.length ?? 0).toBeGreaterThan(5)
    const { framesDropped, framesDuplicated, framesReordered } = world.network.counters
    expect(Math.min(framesDropped, framesDuplicated, framesReordered)).toBeGreaterThan(10)
  })

  test('one seed gives one history', async () => {
    const history = async (): Promise<string> => {
      const world = new World('same')
      const [a] = await world.pair()
      world.network.faults = {
        dropFrame: 0.1,
        duplicateFrame: 0.1,
        reorderFrame: 0.1,
        reset: 0.01,
        refuse: 0.1,
        delayMsMax: 20,
      }
      for (let i = 0; i < 100; i++) {
        void codeOf(a.links.request('b', write({ key: `key-${i}` }), { budgetMs: 200 }))
        await world.time.runFor(3)
      }
      return world.events.join('\n')
    }
    expect(await history()).toBe(await history())
  })

  test('a member that is cut off for an experiment falls silent, and comes back', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    a.links.cut('b', true)
    expect(await codeOf(world.time.settle(a.links.request('b', write(), { budgetMs: 100 })))).toBe('timeout')
    expect(
      await world.time.runUntilCondition(() => b.changes.includes('a down') && a.changes.includes('b down'), 5000),
    ).toBe(true)
    await world.time.runFor(10_000)
    expect(a.links.reachable('b')).toBe(false)
    expect(b.goodbyes.filter((goodbye) => !goodbye.endsWith('duplicate'))).toEqual([])
    a.links.cut('b', false)
    expect(await world.time.runUntilCondition(() => a.links.reachable('b'), 5000)).toBe(true)
  })
})

describe('finding each other', () => {
  test('through a name that stands for all, resolved again and again', async () => {
    const world = new World()
    world.network.setName('tasks', ['n0'])
    const seeds = ['tasks:7481']
    const nodes = ['n0', 'n1', 'n2'].map((name) => world.node(name, { seeds }))
    await world.time.settle(Promise.all(nodes.map((node) => node.links.start())))
    await world.time.runFor(3000)
    world.network.setName('tasks', ['n0', 'n1', 'n2'])
    const all = (): boolean => nodes.every((x) => nodes.every((y) => x === y || x.links.reachable(y.name)))
    expect(await world.time.runUntilCondition(all, 10_000)).toBe(true)
    await world.time.runFor(30_000)
    expect(all()).toBe(true)
    for (const node of nodes) expect(node.changes.filter((change) => change.endsWith('down'))).toEqual([])
  })

  test('another cluster name, id or secret is refused with its reason', async () => {
    for (const [mine, theirs, reason] of [
      [{ clusterName: 'x' }, { clusterName: 'y' }, 'wrong-cluster'],
      [{ clusterId: 'x' }, { clusterId: 'y' }, 'wrong-cluster'],
      [{ secrets: ['x'] }, { secrets: ['y'] }, 'bad-secret'],
      [{ secrets: ['x'] }, {}, 'bad-secret'],
      [{}, { secrets: ['y'] }, 'bad-secret'],
    ] as const) {
      const world = new World()
      const a = world.node('a', { ...mine, members: ['b'] })
      const b = world.node('b', theirs)
      await world.time.settle(Promise.all([a.links.start(), b.links.start()]))
      await world.time.runFor(1000)
      expect(a.links.reachable('b')).toBe(false)
      expect(
        [a, b].some((node) => node.links.counters.closed.has(reason)),
        reason,
      ).toBe(true)
      expect(b.hellos).toEqual([])
    }
  })

  test('who is refused again and again hears so each time; whoever refuses says it once a minute', async () => {
    const world = new World()
    const lines: Line[] = []
    const a = world.node('a', { secrets: ['x'], members: ['b'] })
    const b = world.node('b', { secrets: ['y'], logger: remember(lines) })
    await world.time.settle(Promise.all([a.links.start(), b.links.start()]))
    await world.time.runFor(150_000)
    expect(a.goodbyes.length).toBeGreaterThan(10)
    expect(new Set(a.goodbyes)).toEqual(new Set(['b bad-secret']))
    const refused = lines.filter(({ message }) => message === 'peer refused')
    expect(refused.length).toBe(3)
    expect(refused[0]).toMatchObject({ level: 'warn', fields: { peer: 'a', reason: 'bad-secret' } })
  })

  test('a link that is lost is a warning, unless somebody wanted its end', async () => {
    for (const [end, level, reason] of [
      ['close', 'info', 'closing'],
      ['cut', 'warn', 'silent'],
    ] as const) {
      const world = new World()
      const lines: Line[] = []
      const [a, b] = await world.pair({ logger: remember(lines) })
      if (end === 'close') await world.time.settle(b.links.close())
      else a.links.cut('b', true)
      expect(await world.time.runUntilCondition(() => a.changes.includes('b down'), 10_000)).toBe(true)
      const lost = lines.filter(({ message }) => message === 'peer link lost')
      expect(lost).toEqual([{ level, message: 'peer link lost', fields: { peer: 'b', reason } }])
    }
  })

  test('a rotated secret is still accepted', async () => {
    const world = new World()
    const [a] = await world.pair({ secrets: ['new', 'old'] }, { secrets: ['old', 'new'] })
    expect(a.links.reachable('b')).toBe(true)
  })

  test('a peer that is not admitted is told so, and never linked', async () => {
    const world = new World()
    const a = world.node('a', { members: ['b'] })
    const b = world.node('b', { admit: () => ({ accept: false, reason: 'unknown-member', detail: 'who?' }) })
    await world.time.settle(Promise.all([a.links.start(), b.links.start()]))
    await world.time.runFor(1000)
    expect(a.goodbyes).toContain('b unknown-member')
    expect(a.changes).toEqual([])
    expect(b.changes).toEqual([])
  })

  test('another member at the address is not mistaken for the one looked for', async () => {
    const world = new World()
    const a = world.node('a', { members: ['ghost'] })
    const b = world.node('b')
    await world.time.settle(Promise.all([a.links.start(), b.links.start()]))
    world.network.setName('ghost', ['b'])
    await world.time.runFor(2000)
    expect(a.links.reachable('ghost')).toBe(false)
  })

  test('close says goodbye and frees the address', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    await world.time.settle(a.links.close())
    await world.time.runUntilCondition(() => b.changes.includes('a down'), 100)
    expect(b.goodbyes).toContain('a closing')
    expect(await codeOf(a.links.request('b', write(), { budgetMs: 10 }))).toBe('closed')
  })
})

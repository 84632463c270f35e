// Large requests that others overtake on the way: each is served, whatever else was asked, refused or left unanswered meanwhile.

import { expect, test } from 'vitest'
import { QuorateError } from '../../src/errors.ts'
import { stored, World, write } from './two-nodes.ts'

const MIB = 1024 * 1024
const SLOW = { settings: { failureTimeoutMs: 60_000 } }

// Found by a review: each refusal took an id with it, and what had been overtaken was forgotten after so many of them.
test('large requests are served although more than a thousand are refused while they are under way', async () => {
  const world = new World()
  const heard: string[] = []
  const [a] = await world.pair(SLOW, {
    ...SLOW,
    handler: (_from, request) => {
      if (request.type === 'write') heard.push(request.key)
      return stored()
    },
  })
  const outcomes = new Map<string, string>()
  const ask = (key: string, bytes: number): void =>
    a.links.ask('b', write({ key, view: new Uint8Array(bytes) }), { budgetMs: 20_000 }, (answer) =>
      outcomes.set(key, answer instanceof QuorateError ? answer.code : answer.reply.type),
    )
  ask('large', 16 * MIB)
  ask('second', 15 * MIB)
  for (let i = 0; i < 1100; i++) ask(`refused ${i}`, 2 * MIB)
  ask('small', 100)
  expect(await world.time.runUntilCondition(() => outcomes.size === 1103, 30_000)).toBe(true)
  expect(['large', 'second', 'small'].map((key) => outcomes.get(key))).toEqual(['write', 'write', 'write'])
  expect(outcomes.get('refused 1099')).toBe('overloaded')
  expect(heard).toEqual(['small', 'large', 'second'])
})

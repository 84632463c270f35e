// What some homes had to say of a write broke off with their links, and the others do not speak for them.

import { expect, test } from 'vitest'
import type { CausalContext } from '../../../src/core/causality/context-token.ts'
import { Story } from './story.ts'

const HEALING = { antiEntropy: false, handoff: false, readRepair: false, readAllRate: 0 }

/** r0 has missed a value, and overwrites it; r1 and r2 hear of that, but what they answer is lost. Then all is sent again. */
async function overwrite(story: Story, context: CausalContext | undefined): Promise<unknown> {
  const { r0, r1, r2, cluster } = story
  const pending = story.beginPut(r0, 'new', { sloppy: false, ...(context && { context }) })
  for (const home of [r1, r2]) cluster.network.cut(home.name, r0.name)
  await cluster.time.runFor(20)
  for (const home of [r1, r2]) {
    cluster.network.resetBetween(home.name, r0.name)
    cluster.network.resetBetween(r0.name, home.name)
  }
  cluster.network.healAll()
  return cluster.time.settle(pending)
}

test('an overwrite is no creation for the word of the home that held nothing', async () => {
  const story = await Story.begin({ nodes: 3, healing: HEALING })
  await story.cutOff(story.r0)
  const context = await story.write(story.r1, 'old', { sloppy: false, w: 2 })
  await story.reunite()
  expect(await overwrite(story, context)).toMatchObject({ type: 'stored', created: false })
})

test('a write that saw nothing is one', async () => {
  const story = await Story.begin({ nodes: 3, healing: HEALING })
  expect(await overwrite(story, undefined)).toMatchObject({ type: 'stored', created: true })
})

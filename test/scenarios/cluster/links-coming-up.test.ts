// A node whose links are just coming up waits for them a moment before it calls a quorum unreachable: for as many homes as its read is of.

import { expect, test } from 'vitest'
import { hears, Story } from './story.ts'

/** f hears another stand-in again and no home yet, whose links are on their way. */
async function begin(sloppy: boolean): Promise<Story> {
  const story = await Story.begin({ bucket: { sloppy } })
  const { r0, r1, r2, f, last, cluster } = story
  await story.write(r0, 'v', { w: 3 })
  await story.cutOff(f)
  cluster.network.heal(f.name, last.name)
  cluster.network.heal(last.name, f.name)
  await story.until(() => hears(f, last))
  expect([r0, r1, r2].filter((home) => hears(f, home))).toEqual([])
  cluster.network.healAll()
  return story
}

// A stand-in takes a write, and knows nothing of what is the latest.
test.for([false, true])('a deletion of the latest waits for homes, not for stand-ins (sloppy: %s)', async (sloppy) => {
  const story = await begin(sloppy)
  expect(await story.delete(story.f)).toMatchObject({ type: 'deleted', receipt: { superseded: 1 } })
})

test.for([
  ['latest', false, { context: 'latest' }],
  ['latest', true, { context: 'latest' }],
  ['If-Match', true, { precondition: { type: 'match', etags: '*' } }],
] as const)('a put on %s waits for homes, not for stand-ins (sloppy: %s)', async ([, sloppy, options]) => {
  const story = await begin(sloppy)
  expect(await story.put(story.f, 'w', options)).toMatchObject({ type: 'stored', created: false })
})

test.for([2, 1])('a put on latest waits for R homes, whatever W is (w: %i)', async (w) => {
  const story = await Story.begin({ nodes: 3, bucket: { sloppy: false } })
  const { r0, cluster } = story
  await story.write(r0, 'v', { w: 3 })
  await story.cutOff(r0)
  cluster.network.healAll()
  expect(await story.put(r0, 'w', { context: 'latest', w })).toMatchObject({ type: 'stored', created: false })
})
